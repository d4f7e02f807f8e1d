/*
 * A fleet of mail servers in one process, to be probed.
 *
 *     fleet PORT KEY.pem CERTIFICATES [HIGHEST]
 *
 * Listens on every address of 127.0.0.0/8 at once.  KEY.pem holds one key for all, or one for each in
 * order.  CERTIFICATES holds DER certificates, each behind its length (four bytes, big endian); 127.0.x.y
 * presents the one with number x * 250 + y - 1.
 * HIGHEST is "tls12" to stop at TLS 1.2.  Prints "ready N" once it listens.  Answers like an Exchange
 * server: a long EHLO, STARTTLS and X-ANONYMOUSTLS, and a client certificate is asked for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_CERTIFICATES = 65536, LONGEST_CERTIFICATE = 8192, EVENTS = 256, HOSTS_PER_NET = 250 };
enum phase { COMMANDS, HANDSHAKE, SECURED };

struct session {
    int fd;
    enum phase phase;
    SSL *tls;
    size_t held;
    char line[1024];
};

static X509 *certificates[MOST_CERTIFICATES];
static EVP_PKEY *keys[MOST_CERTIFICATES];
static size_t certificate_count, key_count;
static SSL_CTX *context;

static const char BANNER[] = "220 hub.example.test Microsoft ESMTP MAIL Service ready\r\n";
static const char EHLO[] =
    "250-hub.example.test Hello\r\n250-SIZE 37748736\r\n250-PIPELINING\r\n250-DSN\r\n"
    "250-ENHANCEDSTATUSCODES\r\n250-STARTTLS\r\n250-X-ANONYMOUSTLS\r\n250-AUTH NTLM\r\n"
    "250-X-EXPS GSSAPI NTLM\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250 CHUNKING\r\n";

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int take_any_client_certificate(int ok, X509_STORE_CTX *store) {
    (void)ok;
    (void)store;
    return 1;
}

static void load(const char *key_file, const char *certificates_file) {
    FILE *file = fopen(key_file, "r");
    if (!file) die(key_file);
    while (key_count < MOST_CERTIFICATES && (keys[key_count] = PEM_read_PrivateKey(file, NULL, NULL, NULL)))
        key_count++;
    ERR_clear_error();
    if (!key_count) die(key_file);
    fclose(file);
    if (!(file = fopen(certificates_file, "r"))) die(certificates_file);
    unsigned char head[4], der[LONGEST_CERTIFICATE];
    while (certificate_count < MOST_CERTIFICATES && fread(head, 1, 4, file) == 4) {
        size_t length = (size_t)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];
        const unsigned char *at = der;
        if (length > sizeof der || fread(der, 1, length, file) != length) die("a certificate is cut off");
        if (!(certificates[certificate_count++] = d2i_X509(NULL, &at, (long)length))) die("a certificate");
    }
    fclose(file);
}

static void end(struct session *session) {
    if (session->tls) {
        SSL_shutdown(session->tls);
        SSL_free(session->tls);
    }
    close(session->fd);
    free(session);
}

static void say(struct session *session, const char *text) {
    if (session->tls)
        SSL_write(session->tls, text, (int)strlen(text));
    else if (write(session->fd, text, strlen(text)) < 0)
        return; /* The next read tells. */
}

static void start_tls(struct session *session) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    getsockname(session->fd, (struct sockaddr *)&address, &length);
    uint32_t ip = ntohl(address.sin_addr.s_addr);
    size_t number = (ip >> 8 & 0xff) * HOSTS_PER_NET + (ip & 0xff) - 1;
    session->tls = SSL_new(context);
    SSL_use_certificate(session->tls, certificates[number % certificate_count]);
    SSL_use_PrivateKey(session->tls, keys[number % key_count]);
    SSL_set_fd(session->tls, session->fd);
    SSL_set_accept_state(session->tls);
    session->phase = HANDSHAKE;
    session->held = 0;
}

/* False when the session is over. */
static int obey(struct session *session, const char *line) {
    if (!strncasecmp(line, "EHLO", 4)) {
        say(session, EHLO);
    } else if (!session->tls && (!strncasecmp(line, "STARTTLS", 8) || !strncasecmp(line, "X-ANONYMOUSTLS", 14))) {
        say(session, "220 2.0.0 SMTP server ready\r\n");
        start_tls(session);
    } else if (!strncasecmp(line, "QUIT", 4)) {
        say(session, "221 2.0.0 Service closing transmission channel\r\n");
        return 0;
    } else {
        say(session, "500 5.3.3 Unrecognized command\r\n");
    }
    return 1;
}

/* Bytes read, 0 for "later", -1 for the end. */
static int hear(struct session *session) {
    char *free_part = session->line + session->held;
    size_t room = sizeof session->line - 1 - session->held;
    if (room == 0) return -1;
    if (session->tls) {
        ERR_clear_error();
        int got = SSL_read(session->tls, free_part, (int)room);
        if (got > 0) return got;
        return SSL_get_error(session->tls, got) == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    ssize_t got = read(session->fd, free_part, room);
    if (got > 0) return (int)got;
    return got < 0 && errno == EAGAIN ? 0 : -1;
}

static void serve(struct session *session) {
    for (;;) {
        if (session->phase == HANDSHAKE) {
            ERR_clear_error();
            int done = SSL_do_handshake(session->tls);
            if (done != 1) {
                int why = SSL_get_error(session->tls, done);
                if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) end(session);
                return;
            }
            session->phase = SECURED;
        }
        int got = hear(session);
        if (got < 0) end(session);
        if (got <= 0) return;
        session->held += (size_t)got;
        session->line[session->held] = 0;
        char *newline;
        while (session->phase != HANDSHAKE && (newline = strchr(session->line, '\n'))) {
            *newline = 0;
            size_t taken = (size_t)(newline + 1 - session->line);
            if (!obey(session, session->line)) {
                end(session);
                return;
            }
            if (session->phase == HANDSHAKE) break;
            memmove(session->line, newline + 1, session->held - taken + 1);
            session->held -= taken;
        }
    }
}

static int listener(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "0.0.0.0", &address.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("listening");
    return fd;
}

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "usage: fleet PORT KEY.pem CERTIFICATES [tls12]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    load(words[2], words[3]);
    context = SSL_CTX_new(TLS_server_method());
    if (count > 4 && !strcmp(words[4], "tls12")) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any_client_certificate);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    int door = listener(atoi(words[1])), poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    printf("ready %zu\n", certificate_count);
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int at = 0; at < ready; at++) {
            if (events[at].data.ptr) {
                serve(events[at].data.ptr);
                continue;
            }
            int fd, yes = 1;
            while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                struct session *session = calloc(1, sizeof *session);
                session->fd = fd;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.ptr = session};
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                say(session, BANNER);
            }
        }
    }
}
