# Checks .env and the environment against .env.example, before anything starts:
#
#   awk -f local/check.awk .env.example .env
#
# A number that is out of bounds ends it with status 2 and one line. A name that no setting has, and a line that is no
# setting, are warned of; of the environment, names that are almost those of a setting. It is awk because `make up` with
# Docker needs no Python. Only numbers are ever shown.

# The table: bounds stand in the comment above the setting.
NR == FNR {
    if (/^$/) bounds = ""
    if (/^# --- Set by/) elsewhere = 1
    if (/^# A (whole )?number from/) bounds = $0
    if (/^#[A-Z][A-Z0-9_]*=/) {
        name = substr($0, 2, index($0, "=") - 2)
        known[name] = bounds
        fixed[name] = elsewhere
    }
    next
}

# Inside of quotes that a line before opened.
quote != "" {
    if (index($0, quote)) quote = ""
    next
}

/^[ \t]*(#|$)/ { next }

{
    sub(/\r$/, "")
    line = $0
    sub(/^[ \t]*(export[ \t]+)?/, "", line)
    if (line !~ /^[A-Za-z_][A-Za-z0-9_.-]*[ \t]*=/) {
        warn("line " FNR " of .env means nothing: expected NAME=VALUE")
        next
    }
    name = value = line
    sub(/[ \t]*=.*/, "", name)
    sub(/[^=]*=[ \t]*/, "", value)
    first = substr(value, 1, 1)
    if (first == "\"" || first == "'") {
        value = substr(value, 2)
        end = index(value, first)
        if (end) value = substr(value, 1, end - 1)
        else quote = first
    } else sub(/([ \t]+#.*)?[ \t]*$/, "", value)
    if (!(name in known) && name !~ /^(COMPOSE|DOCKER|BUILDKIT|BUILDX|LOCUST)_|^HOST$/)
        warn(name " in .env is no setting of Corkboard" closest(name, 4))
    else if (fixed[name])
        warn(name " in .env has no effect: `docker compose` and `make up` set it themselves")
    given[name] = value
}

END {
    for (name in ENVIRON)
        if (length(name) > 5 && !(name in known) && (hint = closest(name, 2)) != "")
            warn(name " in the environment is no setting of Corkboard" hint)
    for (name in known) {
        value = (name in ENVIRON) ? ENVIRON[name] : given[name]
        if (known[name] == "" || value == "" || index(value, "$")) continue
        rule = known[name]
        gsub(/^# A |\.$/, "", rule)
        split(rule, words, " ")
        whole = words[1] == "whole"
        low = words[whole ? 4 : 3]
        high = words[whole ? 6 : 5]
        form = whole ? "^[0-9]+$" : "^[0-9]+(\\.[0-9]*)?$"
        if (value !~ form || value + 0 < low + 0 || value + 0 > high + 0) {
            print name " is invalid: expected a " rule ", not '" value "' (see .env.example)" > "/dev/stderr"
            exit 2
        }
    }
}

function warn(text) { print "warning: " text > "/dev/stderr" }

# The known name with the fewest changed letters, when there are fewer than `least`.
function closest(name, least,    each, distance, longer, best) {
    for (each in known) {
        longer = length(name) - length(each)
        if (longer > -least && longer < least && (distance = changes(name, each)) < least) { least = distance; best = each }
    }
    return best == "" ? "" : "; did you mean " best "?"
}

# Levenshtein's distance.
function changes(a, b,    i, j, row, above, corner, cost) {
    for (j = 0; j <= length(b); j++) row[j] = j
    for (i = 1; i <= length(a); i++) {
        corner = row[0]; row[0] = i
        for (j = 1; j <= length(b); j++) {
            above = row[j]
            cost = corner + (substr(a, i, 1) != substr(b, j, 1))
            if (above + 1 < cost) cost = above + 1
            if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1
            corner = above; row[j] = cost
        }
    }
    return row[length(b)]
}
