#pragma once
#include <mosquitto.h>

/* Calls of libmosquitto that end when an assertion of it fails, instead of ending the process: 2.0.11 has one that every
   property fails which it does not know (log__printf), and what a broker sends is no reason to lose a running job.

   They return LIBMOSQUITTO_FAILED then. The client is in an unknown state: nothing may be called with it any more, not even
   mosquitto_destroy. */
enum { LIBMOSQUITTO_FAILED = 1000 };

int caught_loop_read(struct mosquitto *client);
int caught_loop_write(struct mosquitto *client);
int caught_publish(
    struct mosquitto *client, int *id, const char *topic, int count, const void *payload, int qos, bool retain,
    const mosquitto_property *properties);
