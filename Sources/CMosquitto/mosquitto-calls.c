#define _GNU_SOURCE
#include "mosquitto-calls.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdlib.h>

/* Where a failing assertion leads on this thread. Between it and the assertion lie frames of libmosquitto only. */
static _Thread_local jmp_buf *landing;

#define CAUGHT(call)                          \
  do {                                        \
    jmp_buf place;                            \
    if (_setjmp(place)) {                     \
      landing = NULL;                         \
      return LIBMOSQUITTO_FAILED;             \
    }                                         \
    landing = &place;                         \
    int code = call;                          \
    landing = NULL;                           \
    return code;                              \
  } while (0)

int caught_loop_read(struct mosquitto *client) { CAUGHT(mosquitto_loop_read(client, 1)); }

int caught_loop_write(struct mosquitto *client) { CAUGHT(mosquitto_loop_write(client, 1)); }

int caught_publish(
    struct mosquitto *client, int *id, const char *topic, int count, const void *payload, int qos, bool retain,
    const mosquitto_property *properties) {
  CAUGHT(mosquitto_publish_v5(client, id, topic, count, payload, qos, retain, properties));
}

typedef void (*fail_function)(const char *, const char *, unsigned int, const char *) __attribute__((noreturn));

/* Stands before the C library's (assert(3)), which ends the process; elsewhere it still does. */
__attribute__((noreturn)) void __assert_fail(
    const char *assertion, const char *file, unsigned int line, const char *function) {
  if (landing) _longjmp(*landing, 1);
  fail_function next = (fail_function)dlsym(RTLD_NEXT, "__assert_fail");
  if (next) next(assertion, file, line, function);
  abort();
}
