/* Without a daemon: asks where none listens, and is told so. */
#include <godwit/godwit.h>
#include <stdio.h>

int main(void) {
  godwit_client* client = NULL;
  if (godwit_client_open(NULL, &client) != GODWIT_OK) return 1;
  const int error = godwit_ping(client, "tcp://127.0.0.1:1", NULL);
  printf("godwit %s: %s: %s\n", godwit_version(), godwit_error_name(error), godwit_last_error());
  godwit_client_close(client);
  return error == GODWIT_ERR_UNREACHABLE ? 0 : 1;
}
