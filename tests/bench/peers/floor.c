/* About the least that saving over plain HTTP can cost: recv() and write() of 1 MiB, nothing looked at but the end of the head.
   floor URL FILE */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 1024 * 1024 };

int main(int count, char **arguments) {
  char host[64], path[256], request[512];
  int port, used;
  if (count != 3 || sscanf(arguments[1], "http://%63[^:]:%d%255s", host, &port, path) != 3) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int file = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (file < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
      connect(connection, (struct sockaddr *)&address, sizeof address) != 0)
    return 1;
  used = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n",
                  path, host, getenv("JUNFEIAI_API_KEY"));
  if (send(connection, request, (size_t)used, 0) != used) return 1;
  char *buffer = malloc(PIECE + 1);
  ssize_t got = recv(connection, buffer, PIECE, 0);
  if (got <= 0) return 1;
  buffer[got] = 0;
  char *body = strstr(buffer, "\r\n\r\n");
  if (body == NULL || strncmp(buffer, "HTTP/1.1 200", 12) != 0) return 1;
  body += 4;
  got -= body - buffer;
  while (got > 0) {
    if (write(file, body, (size_t)got) != got) return 1;
    body = buffer;
    got = recv(connection, buffer, PIECE, 0);
  }
  free(buffer);
  return got == 0 ? 0 : 1;
}
