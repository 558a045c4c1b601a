// A wrong clock for the processes that load this library: the time of day is off by the seconds in a file, from one
// moment to the next; timers go on as before. libfaketime does more, and breaks time.sleep() of Python.
//
//   cc -shared -fPIC -o clock.so clock.c;  LD_PRELOAD=./clock.so WRONG_CLOCK=file ...
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Sixteen characters of a number; shared, so that what is written is there at once.
static const char *shared;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("WRONG_CLOCK");
  int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *seen = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
  if (seen != MAP_FAILED) shared = seen;
  close(file);
}

static long offset(void) { return shared ? atol(shared) : 0; }

int clock_gettime(clockid_t id, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, id, now);
  if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
  return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
  (void)zone;
  struct timespec precise;
  int failed = clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return failed;
}

time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}
