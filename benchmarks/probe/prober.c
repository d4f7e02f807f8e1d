/*
 * The floor: what it costs to probe a mail server in C, on OpenSSL and epoll, and nothing else.
 *
 *     prober PORT SERVERS AT_ONCE [hangup]
 *
 * Does for each of 127.0.0.1, 127.0.0.2, … what mailtrust's probe does: banner, EHLO, X-ANONYMOUSTLS, a
 * finished TLS handshake that verifies nobody, SHA-256 of the certificate, QUIT, and wait for the server to
 * close.  With "hangup" it closes at once behind QUIT, as a careless prober would.  Prints how many answered.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, HOSTS_PER_NET = 250 };
enum phase { BANNER, EHLO, VERB, HANDSHAKE, GOODBYE };

struct look {
    int fd;
    enum phase phase;
    SSL *tls;
    size_t held;
    char reply[4096];
};

static SSL_CTX *context;
static int poll, port, servers, started, finished, answered, hang_up;

static void start(void) {
    struct look *look = calloc(1, sizeof *look);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    uint32_t number = (uint32_t)started++;
    address.sin_addr.s_addr = htonl(0x7f000000u + (number / HOSTS_PER_NET << 8) + number % HOSTS_PER_NET + 1);
    look->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(look->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) perror("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = look};
    epoll_ctl(poll, EPOLL_CTL_ADD, look->fd, &event);
}

static void finish(struct look *look) {
    SSL_free(look->tls);
    close(look->fd);
    free(look);
    finished++;
    if (started < servers) start();
}

static void say(struct look *look, const char *text, enum phase next) {
    if (write(look->fd, text, strlen(text)) < 0) perror("write");
    look->phase = next;
    look->held = 0;
}

/* False while the handshake waits for the server. */
static int handshake(struct look *look) {
    ERR_clear_error();
    int done = SSL_do_handshake(look->tls);
    if (done != 1) return SSL_get_error(look->tls, done) != SSL_ERROR_WANT_READ;
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
    X509 *leaf = SSL_get1_peer_certificate(look->tls);
    int length = i2d_X509(leaf, &der);
    EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    X509_free(leaf);
    answered++;
    SSL_write(look->tls, "QUIT\r\n", 6);
    look->phase = GOODBYE;
    return 1;
}

/* A whole reply is there once its last line has no "-" behind the code. */
static int reply_is_whole(struct look *look) {
    if (look->held < 4 || look->reply[look->held - 1] != '\n') return 0;
    char *last = memrchr(look->reply, '\n', look->held - 1);
    return (last ? last + 1 : look->reply)[3] == ' ';
}

static void go_on(struct look *look) {
    for (;;) {
        if (look->phase == HANDSHAKE) {
            if (!handshake(look)) return;
            if (look->phase != GOODBYE || hang_up) {
                finish(look);
                return;
            }
        }
        if (look->phase == GOODBYE) look->held = 0;
        ssize_t got = read(look->fd, look->reply + look->held, sizeof look->reply - 1 - look->held);
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
        if (got <= 0) {
            finish(look);
            return;
        }
        look->held += (size_t)got;
        look->reply[look->held] = 0;
        if (look->phase == GOODBYE || !reply_is_whole(look)) continue;
        if (look->phase == BANNER) {
            say(look, "EHLO prober.example.test\r\n", EHLO);
        } else if (look->phase == EHLO && strstr(look->reply, "X-ANONYMOUSTLS")) {
            say(look, "X-ANONYMOUSTLS\r\n", VERB);
        } else if (look->phase == VERB) {
            look->tls = SSL_new(context);
            SSL_set_fd(look->tls, look->fd);
            SSL_set_connect_state(look->tls);
            look->phase = HANDSHAKE;
        } else {
            finish(look);
            return;
        }
    }
}

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "usage: prober PORT SERVERS AT_ONCE [hangup]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    port = atoi(words[1]);
    servers = atoi(words[2]);
    hang_up = count > 4 && !strcmp(words[4], "hangup");
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    poll = epoll_create1(0);
    for (int at = 0; at < atoi(words[3]) && started < servers; at++) start();
    struct epoll_event events[EVENTS];
    while (finished < servers) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int at = 0; at < ready; at++) go_on(events[at].data.ptr);
    }
    printf("answered %d\n", answered);
    return answered == servers ? 0 : 1;
}
