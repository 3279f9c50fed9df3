/*
 * The least a client of the service can cost on Linux: both directions of a call in C, and nothing beside them.
 *
 *     floor PORT PATH AUDIO.pcm
 *
 * One thread sends a media frame every 20 ms of the absolute clock, the other reads and decodes what the room says.
 * Plain ws to 127.0.0.1 only. Ended by SIGTERM it leaves the room and prints how many media frames it heard.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PCM = 320, BASE64 = 428, TICK_NS = 20000000, TEXT = 0x81, PING = 0x89, PONG = 0x8a };

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BEFORE[] = "{\"event\":\"media\",\"payload\":\"";
static const char AFTER[] = "\"}";
enum { BEFORE_LENGTH = sizeof BEFORE - 1, AFTER_LENGTH = sizeof AFTER - 1 };

static uint8_t value_of[256];
static volatile sig_atomic_t over;
static volatile long heard;
static int fd;

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, errno ? strerror(errno) : "not what was expected");
    exit(1);
}

/* 320 bytes to 428 letters: 106 groups of three, and one of two. */
static void encode(const uint8_t *pcm, char *out)
{
    for (int at = 0; at < PCM - 2; at += 3) {
        uint32_t three = pcm[at] << 16 | pcm[at + 1] << 8 | pcm[at + 2];
        *out++ = LETTERS[three >> 18];
        *out++ = LETTERS[three >> 12 & 63];
        *out++ = LETTERS[three >> 6 & 63];
        *out++ = LETTERS[three & 63];
    }
    uint32_t two = pcm[PCM - 2] << 16 | pcm[PCM - 1] << 8;
    *out++ = LETTERS[two >> 18];
    *out++ = LETTERS[two >> 12 & 63];
    *out++ = LETTERS[two >> 6 & 63];
    *out = '=';
}

static void decode(const uint8_t *letters, uint8_t *pcm)
{
    for (int at = 0; at < BASE64; at += 4) {
        uint32_t three = value_of[letters[at]] << 18 | value_of[letters[at + 1]] << 12 |
                         value_of[letters[at + 2]] << 6 | value_of[letters[at + 3]];
        *pcm++ = three >> 16;
        *pcm++ = three >> 8;
        if (at + 4 < BASE64)
            *pcm++ = three;
    }
}

/* Small enough for the socket's buffer, so that the kernel takes it whole or the room is gone. */
static void send_frame(uint8_t opcode, const void *payload, size_t length)
{
    uint8_t frame[1024];
    size_t head = 2;
    uint32_t mask = (uint32_t)random();
    if (length > sizeof frame - 8)
        die("a frame that long");
    frame[0] = opcode;
    frame[1] = 0x80 | (length < 126 ? length : 126);
    if (length >= 126) {
        frame[2] = length >> 8;
        frame[3] = length;
        head = 4;
    }
    memcpy(frame + head, &mask, 4);
    head += 4;
    for (size_t at = 0; at < length; at++)
        frame[head + at] = ((const uint8_t *)payload)[at] ^ ((const uint8_t *)&mask)[at & 3];
    if (send(fd, frame, head + length, MSG_NOSIGNAL) != (ssize_t)(head + length))
        die("send");
}

static void take(uint8_t opcode, const uint8_t *payload, size_t length)
{
    uint8_t pcm[PCM];
    if (opcode == PING)
        send_frame(PONG, payload, length);
    if (length != BEFORE_LENGTH + BASE64 + AFTER_LENGTH || memcmp(payload, BEFORE, BEFORE_LENGTH))
        return;
    decode(payload + BEFORE_LENGTH, pcm);
    __asm__ volatile("" : : "r"(pcm) : "memory"); /* decoded for nobody, yet decoded */
    heard++;
}

static void *receive(void *nothing)
{
    static uint8_t buffer[65536];
    size_t have = 0;
    for (;;) {
        ssize_t got = recv(fd, buffer + have, sizeof buffer - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (!over)
                die("the room is gone");
            return nothing;
        }
        have += (size_t)got;
        size_t at = 0;
        while (have - at >= 4) {
            size_t length = buffer[at + 1], head = 2;
            if (length > 126)
                die("a frame's length");
            if (length == 126) {
                length = (size_t)buffer[at + 2] << 8 | buffer[at + 3];
                head = 4;
            }
            if (have - at < head + length)
                break;
            take(buffer[at], buffer + at + head, length);
            at += head + length;
        }
        memmove(buffer, buffer + at, have - at);
        have -= at;
    }
}

static void open_room(int port, const char *path)
{
    char text[4096];
    struct sockaddr_in room = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    room.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&room, sizeof room))
        die("connect");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)))
        die("TCP_NODELAY");
    int length = snprintf(text, sizeof text,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                          path, port);
    if (length >= (int)sizeof text || send(fd, text, (size_t)length, MSG_NOSIGNAL) != length)
        die("the request");
    size_t have = 0;
    while (have < 4 || memcmp(text + have - 4, "\r\n\r\n", 4))
        if (have == sizeof text || recv(fd, text + have++, 1, 0) != 1)
            die("the answer");
    if (strncmp(text, "HTTP/1.1 101 ", 13))
        die("the answer's status");
}

static void stop(int number)
{
    (void)number;
    over = 1;
}

int main(int count, char **arguments)
{
    static uint8_t audio[1 << 22];
    if (count != 4 || atoi(arguments[1]) <= 0) {
        fprintf(stderr, "usage: floor PORT PATH AUDIO.pcm\n");
        return 2;
    }
    FILE *file = fopen(arguments[3], "rb");
    size_t frames = file ? fread(audio, PCM, sizeof audio / PCM, file) : 0;
    if (!frames)
        die(arguments[3]);
    fclose(file);
    for (int value = 0; value < 64; value++)
        value_of[(uint8_t)LETTERS[value]] = (uint8_t)value;
    signal(SIGTERM, stop);
    open_room(atoi(arguments[1]), arguments[2]);
    send_frame(TEXT, "{\"event\":\"start\"}", 17);
    pthread_t receiver;
    if ((errno = pthread_create(&receiver, NULL, receive, NULL)))
        die("pthread_create");

    char media[BEFORE_LENGTH + BASE64 + AFTER_LENGTH];
    memcpy(media, BEFORE, BEFORE_LENGTH);
    memcpy(media + BEFORE_LENGTH + BASE64, AFTER, AFTER_LENGTH);
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (size_t number = 0; !over; number++) {
        encode(audio + number % frames * PCM, media + BEFORE_LENGTH);
        send_frame(TEXT, media, sizeof media);
        due.tv_nsec += TICK_NS;
        if (due.tv_nsec >= 1000000000) {
            due.tv_nsec -= 1000000000;
            due.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
    send_frame(TEXT, "{\"event\":\"stop\"}", 16);
    shutdown(fd, SHUT_WR);
    pthread_join(receiver, NULL);
    printf("heard %ld\n", heard);
    return 0;
}
