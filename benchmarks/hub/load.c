/*
 * A mail server with much to send: parallel SMTP sessions behind STARTTLS, with a client certificate.
 *
 *     load PORT SESSIONS MESSAGES_PER_SESSION MESSAGES BYTES PEM RECIPIENT [pipelining]
 *
 * PEM holds certificate and key.  Every session is a full handshake: nothing is resumed.  A message counts
 * once the final dot is answered with 250; any other answer where mail should go on ends the run.  With
 * "pipelining" MAIL, RCPT and DATA leave in one write (RFC 2920).  Prints
 *
 *     acknowledged N seconds S client-cpu S
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SENDER "load@sender.example.test"
#define GREETING "EHLO sender.example.test\r\n"
#define LINE "The quick brown fox jumps over the lazy dog and the cat looks on idly.\r\n"

enum { EVENTS = 256, REPLY_BYTES = 4096, RECORD_BYTES = 16384, COMMAND_BYTES = 512, HEADER_BYTES = 512 };
enum phase { BANNER, EHLO, STARTTLS, HANDSHAKE, EHLO_AGAIN, MAIL, RCPT, DATA, CONTENT, QUIT };

struct session {
    int fd, left;
    enum phase phase;
    SSL *tls;
    const char *output;
    size_t output_left, held;
    char reply[REPLY_BYTES];
};

static SSL_CTX *context;
static int poll, port, sessions, per_session, messages, pipelining;
static int promised, acknowledged, open_sessions;
static char mail[] = "MAIL FROM:<" SENDER ">\r\n", rcpt[COMMAND_BYTES], envelope[COMMAND_BYTES * 2], *content;
static size_t content_bytes;

static void give_up(const char *what, const char *detail) {
    fprintf(stderr, "%s: %s\n", what, detail);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void begin(void) {
    struct session *session = calloc(1, sizeof *session);
    session->left = messages - promised < per_session ? messages - promised : per_session;
    promised += session->left;
    open_sessions++;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int yes = 1;
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(session->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        give_up("connect", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = session};
    epoll_ctl(poll, EPOLL_CTL_ADD, session->fd, &event);
}

static void end(struct session *session) {
    if (session->phase != QUIT) give_up("a session ended too early", "see the server's log");
    SSL_free(session->tls);
    close(session->fd);
    free(session);
    open_sessions--;
    if (promised < messages) begin();
}

/* As much as fits; the rest when the socket can take it. */
static void send_on(struct session *session) {
    while (session->output_left) {
        size_t most = session->output_left < RECORD_BYTES ? session->output_left : RECORD_BYTES;
        ssize_t sent;
        if (session->tls) {
            ERR_clear_error();
            sent = SSL_write(session->tls, session->output, (int)most);
            if (sent <= 0) {
                int why = SSL_get_error(session->tls, (int)sent);
                if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ) return;
                give_up("SSL_write", strerror(errno));
            }
        } else {
            sent = write(session->fd, session->output, most);
            if (sent < 0 && errno == EAGAIN) return;
            if (sent < 0) give_up("write", strerror(errno));
        }
        session->output += sent;
        session->output_left -= (size_t)sent;
    }
}

static void say(struct session *session, const char *text, size_t length, enum phase next) {
    session->phase = next;
    session->output = text;
    session->output_left = length;
    send_on(session);
}

static void next_message(struct session *session) {
    if (!session->left)
        say(session, "QUIT\r\n", 6, QUIT);
    else if (pipelining)
        say(session, envelope, strlen(envelope), MAIL);
    else
        say(session, mail, strlen(mail), MAIL);
}

static void secure(struct session *session) {
    session->tls = SSL_new(context);
    SSL_set_fd(session->tls, session->fd);
    SSL_set_connect_state(session->tls);
    session->phase = HANDSHAKE;
}

/* One whole reply, by its last line. */
static void answered(struct session *session, const char *line) {
    if (line[0] != '2' && line[0] != '3') give_up("the server said", line);
    switch (session->phase) {
        case BANNER: say(session, GREETING, strlen(GREETING), EHLO); break;
        case EHLO: say(session, "STARTTLS\r\n", 10, STARTTLS); break;
        case STARTTLS: secure(session); break;
        case EHLO_AGAIN: next_message(session); break;
        case MAIL:
            if (pipelining) session->phase = RCPT;
            else say(session, rcpt, strlen(rcpt), RCPT);
            break;
        case RCPT:
            if (pipelining) session->phase = DATA;
            else say(session, "DATA\r\n", 6, DATA);
            break;
        case DATA: say(session, content, content_bytes, CONTENT); break;
        case CONTENT:
            acknowledged++;
            session->left--;
            next_message(session);
            break;
        case HANDSHAKE:
        case QUIT: break;
    }
}

static void take_lines(struct session *session) {
    char *line = session->reply, *newline;
    while ((newline = strchr(line, '\n'))) {
        *newline = 0;
        if (newline - line > 3 && line[3] != '-') answered(session, line);
        line = newline + 1;
    }
    session->held -= (size_t)(line - session->reply);
    memmove(session->reply, line, session->held + 1);
}

/* Bytes that came, 0 when none wait, -1 when the server has closed. */
static ssize_t take(struct session *session) {
    char *to = session->reply + session->held;
    size_t room = sizeof session->reply - 1 - session->held;
    ssize_t got;
    if (session->tls) {
        ERR_clear_error();
        got = SSL_read(session->tls, to, (int)room);
        if (got <= 0) return SSL_get_error(session->tls, (int)got) == SSL_ERROR_WANT_READ ? 0 : -1;
    } else {
        got = read(session->fd, to, room);
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN)) return 0;
        if (got <= 0) return -1;
    }
    session->held += (size_t)got;
    to[got] = 0;
    return got;
}

static void go_on(struct session *session) {
    for (;;) {
        if (session->phase == HANDSHAKE) {
            ERR_clear_error();
            int done = SSL_do_handshake(session->tls);
            if (done != 1 && SSL_get_error(session->tls, done) == SSL_ERROR_WANT_READ) return;
            if (done != 1) give_up("the handshake failed", strerror(errno));
            say(session, GREETING, strlen(GREETING), EHLO_AGAIN);
        }
        send_on(session);
        ssize_t got = take(session);
        if (got < 0) {
            end(session);
            return;
        }
        if (!got) return;
        take_lines(session);
    }
}

static void prepare(const char *pem, int bytes, const char *recipient) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    if (SSL_CTX_use_certificate_chain_file(context, pem) != 1) give_up("no certificate", pem);
    if (SSL_CTX_use_PrivateKey_file(context, pem, SSL_FILETYPE_PEM) != 1) give_up("no key", pem);
    snprintf(rcpt, sizeof rcpt, "RCPT TO:<%s>\r\n", recipient);
    snprintf(envelope, sizeof envelope, "%s%sDATA\r\n", mail, rcpt);
    content = malloc((size_t)bytes + HEADER_BYTES + sizeof LINE);
    char *at = content + sprintf(content, "From: <" SENDER ">\r\nTo: <%.200s>\r\nSubject: load\r\n\r\n", recipient);
    while (at - content < bytes) at += sprintf(at, LINE);
    at += sprintf(at, ".\r\n");
    content_bytes = (size_t)(at - content);
}

int main(int count, char **words) {
    if (count < 8) {
        fprintf(stderr, "usage: load PORT SESSIONS MESSAGES_PER_SESSION MESSAGES BYTES PEM RECIPIENT [pipelining]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    port = atoi(words[1]);
    sessions = atoi(words[2]);
    per_session = atoi(words[3]);
    messages = atoi(words[4]);
    pipelining = count > 8 && !strcmp(words[8], "pipelining");
    prepare(words[6], atoi(words[5]), words[7]);
    poll = epoll_create1(0);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    while (open_sessions < sessions && promised < messages) begin();
    struct epoll_event events[EVENTS];
    while (open_sessions) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int at = 0; at < ready; at++) go_on(events[at].data.ptr);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
    printf("acknowledged %d seconds %.3f client-cpu %.3f\n", acknowledged, took, cpu);
    return acknowledged == messages ? 0 : 1;
}
