"""What is in the hands of the person who looks stays when a live element is replaced."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from corkboard import publish

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.harness.orders import Orders

pytestmark = pytest.mark.browser


versions = count()


def with_mark(body: str) -> tuple[str, str]:
    """The body, and what stands in it when it is shown."""
    mark = f"Version {next(versions)}"
    return f"{body}<i id=mark data-live>{mark}</i>", mark


def start(
    orders: Orders, open_page: OpenPage, body: str, prepare: Callable[[Page], object] | None = None
) -> Page:
    """A viewer of this page."""
    orders.body, _ = with_mark(body)
    return open_page(prepare=prepare)


def change(orders: Orders, page: Page, body: str) -> None:
    """The page is another one now; returns when that is shown."""
    orders.body, mark = with_mark(body)
    publish("orders", "order.placed")
    expect(page.locator("#mark")).to_have_text(mark)


FORM = """<form data-live>
  <p>{n} orders</p>
  <input name=who> <textarea name=what>Nothing</textarea> <div contenteditable id=memo>Memo</div>
  <select name=size><option>S</option><option selected>M</option><option>L</option></select>
  <input type=checkbox name=fast> <input type=radio name=pay value=cash checked>
  <input type=radio name=pay value=card>
</form>"""


def test_what_was_typed_and_chosen_stays(orders: Orders, open_page: OpenPage) -> None:
    page = start(orders, open_page, FORM.format(n=1))
    page.locator("[name=who]").fill("Ines")
    page.locator("textarea").fill("Soup")
    page.locator("#memo").fill("Urgent")
    page.locator("select").select_option("L")
    page.locator("[name=fast]").check()
    page.locator("[value=card]").check()
    change(orders, page, FORM.format(n=2).replace("Memo", "Other").replace("Nothing", "Anything"))
    expect(page.get_by_text("2 orders")).to_be_visible()
    expect(page.locator("[name=who]")).to_have_value("Ines")
    expect(page.locator("textarea")).to_have_value("Soup")
    expect(page.locator("#memo")).to_have_text("Urgent")
    expect(page.locator("select")).to_have_value("L")
    expect(page.locator("[name=fast]")).to_be_checked()
    expect(page.locator("[value=card]")).to_be_checked()
    page.locator("form").evaluate("(form) => form.reset()")
    expect(page.locator("textarea")).to_have_value("Anything")


def test_what_nobody_changed_follows_the_server(orders: Orders, open_page: OpenPage) -> None:
    page = start(orders, open_page, FORM.format(n=1))
    other = (
        FORM.format(n=2)
        .replace("name=who", "name=who value=Bo")
        .replace("Nothing", "Cake")
        .replace("Memo", "Noted")
        .replace("<option>S", "<option selected>S")
        .replace("<option selected>M", "<option>M")
        .replace("name=fast", "name=fast checked")
        .replace("cash checked", "cash")
        .replace("card", "card checked")
    )
    change(orders, page, other)
    expect(page.locator("[name=who]")).to_have_value("Bo")
    expect(page.locator("textarea")).to_have_value("Cake")
    expect(page.locator("#memo")).to_have_text("Noted")
    expect(page.locator("select")).to_have_value("S")
    expect(page.locator("[name=fast]")).to_be_checked()
    expect(page.locator("[value=card]")).to_be_checked()


def test_a_change_that_was_saved_follows_the_server_again(orders: Orders, open_page: OpenPage) -> None:
    """A browser left alone keeps a control for ever as soon as somebody touched it."""
    page = start(orders, open_page, FORM.format(n=1))
    page.locator("[name=fast]").check()
    page.locator("[name=who]").fill("Ines")
    page.locator("select").select_option("L")
    saved = (
        FORM.format(n=2)
        .replace("name=fast", "name=fast checked")
        .replace("name=who", "name=who value=Ines")
        .replace("<option selected>M</option><option>L", "<option>M</option><option selected>L")
    )
    change(orders, page, saved)
    expect(page.locator("[name=fast]")).to_be_checked()
    # Somebody else takes it all back.
    change(orders, page, FORM.format(n=3))
    expect(page.locator("[name=fast]")).not_to_be_checked()
    expect(page.locator("[name=who]")).to_have_value("")
    expect(page.locator("select")).to_have_value("M")


def test_focus_and_selection_stay_and_typing_goes_on(orders: Orders, open_page: OpenPage) -> None:
    rows = "<form data-live><ul>{}</ul><input id=note value='Note for the kitchen'></form>"
    page = start(orders, open_page, rows.format("<li>A</li>"))
    page.locator("#note").evaluate("(note) => { note.focus(); note.setSelectionRange(5, 8, 'backward'); }")
    change(orders, page, rows.format("<li>B</li><li>A</li><li>C</li>").replace("<input", "<p>!</p><input"))
    where = "(({ id, selectionStart: a, selectionEnd: b }) => [id, a, b])(document.activeElement)"
    assert page.evaluate(where) == ["note", 5, 8]
    page.keyboard.type("by")
    expect(page.locator("#note")).to_have_value("Note by the kitchen")


ITEM = "<li {id}><details><summary>{name}</summary><input></details><button>Ship {name}</button></li>"


@pytest.mark.parametrize("id_of", ["id={name}", ""])
@pytest.mark.parametrize("age", ["new", "old"])
def test_an_item_is_the_same_one_wherever_it_goes(
    orders: Orders, open_page: OpenPage, id_of: str, age: str
) -> None:
    def prepare(page: Page) -> None:
        if age == "old":
            page.add_init_script("delete Element.prototype.moveBefore")

    def items(*names: str) -> str:
        listed = "\n".join(ITEM.format(id=id_of.format(name=name), name=name) for name in names)
        return f"<ul data-live>\n{listed}\n</ul>"

    page = start(orders, open_page, items("A", "B", "C"), prepare)
    page.locator("li:nth-child(2) summary").click()
    page.locator("li:nth-child(2) input").fill("Half written")
    page.get_by_role("button", name="Ship B").focus()
    for names in (["X", "A", "B", "C"], ["B", "X", "A", "C"], ["B", "C"], ["C", "B", "X"], ["Y", "Z", "B"]):
        change(orders, page, items(*names))
        assert page.locator("summary").all_inner_texts() == names
        assert page.locator("details[open] summary").all_inner_texts() == ["B"]
        assert page.evaluate("document.activeElement.textContent") == "Ship B"
        values = page.locator("input").evaluate_all("(fields) => fields.map((field) => field.value)")
        assert values == ["Half written" if name == "B" else "" for name in names]


def test_a_changed_item_is_still_the_same_one(orders: Orders, open_page: OpenPage) -> None:
    def items(*names: str) -> str:
        return "<ul data-live>" + "".join(f" <li><input><b>{name}</b></li> " for name in names) + "</ul>"

    page = start(orders, open_page, items("A", "B", "C"))
    page.locator("li:nth-child(2) input").fill("Mine")
    change(orders, page, items("X", "A", "B shipped", "C"))
    values = page.locator("input").evaluate_all("(fields) => fields.map((field) => field.value)")
    assert values == ["", "", "Mine", ""]


def test_scroll_positions_stay(orders: Orders, open_page: OpenPage) -> None:
    orders.csp = ""
    rows = "".join(f"<p>Row {number}</p>" for number in range(100))
    box = (
        '<div data-live><div id=box style="height: 90px; overflow: auto">{}</div></div>'
        '<div style="height: 3000px"></div>'
    )
    page = start(orders, open_page, box.format(rows))
    page.locator("#box").evaluate("(box) => box.scrollTo(0, 500)")
    page.evaluate("scrollTo(0, 40)")
    change(orders, page, box.format(rows + "<p>One more</p>"))
    assert page.locator("#box").evaluate("(box) => box.scrollTop") == 500
    assert page.evaluate("scrollY") == 40


def test_a_selection_of_text_stays(orders: Orders, open_page: OpenPage) -> None:
    text = "<div data-live><p>{}</p><p id=read>Read and copied</p></div>"
    page = start(orders, open_page, text.format("One"))
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#read'))")
    change(orders, page, text.format("Two"))
    assert page.evaluate("getSelection().toString()") == "Read and copied"


def test_inline_scripts_of_the_page_run_once(orders: Orders, open_page: OpenPage) -> None:
    orders.csp = ""
    script = "<script>window.ran = (window.ran ?? 0) + 1; /* {} */</script>"
    page = start(orders, open_page, f"<div data-live><p>1</p>{script.format(1)}</div>")
    more = f"{script.format(2)}{script.format(3)}<section>{script.format(4)}</section>"
    change(orders, page, f"<div data-live><p>2</p>{more}</div>")
    expect(page.get_by_role("paragraph")).to_have_text("2")
    publish("orders", "html", {"target": "p", "html": f"3{script.format(5)}"})
    expect(page.get_by_role("paragraph")).to_have_text("3")
    assert page.evaluate("window.ran") == 1


def test_handlers_and_properties_that_a_script_set_stay(orders: Orders, open_page: OpenPage) -> None:
    orders.script = "document.querySelector('button').onclick = () => (document.title = 'Pressed')"
    page = start(orders, open_page, "<div data-live><button>Press 1</button></div>")
    change(orders, page, "<div data-live><p>New</p><button>Press 2</button></div>")
    page.get_by_role("button", name="Press 2").click()
    expect(page).to_have_title("Pressed")


def test_tables_svg_and_odd_attributes_follow_too(orders: Orders, open_page: OpenPage) -> None:
    body = (
        "<table data-live><tr class=a @click=x><td>{n}</td></tr></table>"
        '<svg data-live viewBox="0 0 {n} 1"><use xlink:href="#{n}"/></svg>'
    )
    page = start(orders, open_page, body.format(n=1))
    change(orders, page, body.format(n=2).replace("class=a", "data-b").replace("@click=x", "@click=y"))
    row = page.locator("tr").evaluate("(row) => row.outerHTML")
    assert row == '<tr @click="y" data-b=""><td>2</td></tr>'
    assert page.locator("svg").get_attribute("viewBox") == "0 0 2 1"
    assert page.locator("use").evaluate("(use) => use.href.baseVal") == "#2"


def test_a_live_title_follows(orders: Orders, open_page: OpenPage) -> None:
    page = start(orders, open_page, "<title data-live>1 order</title>")
    change(orders, page, "<title data-live>2 orders</title>")
    assert page.evaluate("document.querySelector('[data-live]').text") == "2 orders"
