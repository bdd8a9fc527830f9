/*
 * What the CNI executable is linked to: QuickJS, the compiled TypeScript (program.h), and the system calls it makes, as
 * functions of the global object `host` (host.ts describes them). It decides nothing. A call into the kernel that fails
 * returns its errno, negative; only arguments of a wrong type throw.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <quickjs/quickjs.h>

#include "program.h"

/* A configuration has at most 1 MiB, whose values take some fifty times that at worst. */
#define MOST_MEMORY (256u << 20)
/* For JSON of 50,000 levels; a process has 8 MiB unless somebody gave it less. */
#define MOST_STACK ((rlim_t)7 << 20)
#define STACK_LEFT ((rlim_t)256 << 10)

extern char **environ;

#define FUNCTION(name) static JSValue name(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv)

static JSValue result(JSContext *ctx, long value) {
    return JS_NewInt64(ctx, value < 0 ? -errno : value);
}

/* The bytes argv[0][argv[1] .. argv[1] + argv[2]]; NULL after throwing. */
static uint8_t *bytes_of(JSContext *ctx, JSValueConst *argv, int64_t *length) {
    size_t size;
    int64_t offset;
    uint8_t *buffer = JS_GetArrayBuffer(ctx, &size, argv[0]);
    if (!buffer || JS_ToInt64(ctx, &offset, argv[1]) || JS_ToInt64(ctx, length, argv[2])) return NULL;
    if (offset < 0 || *length < 0 || (uint64_t)offset > size || (uint64_t)*length > size - (uint64_t)offset) {
        JS_ThrowRangeError(ctx, "outside of the buffer");
        return NULL;
    }
    return buffer + offset;
}

/* environment(): string[] -- those whose names begin with CNI_ */
FUNCTION(environment) {
    JSValue list = JS_NewArray(ctx);
    uint32_t count = 0;
    for (char **each = environ; *each; each++)
        if (!strncmp(*each, "CNI_", 4)) JS_SetPropertyUint32(ctx, list, count++, JS_NewString(ctx, *each));
    return list;
}

/* encode(text): ArrayBuffer */
FUNCTION(encode) {
    size_t length;
    const char *text = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!text) return JS_EXCEPTION;
    JSValue buffer = JS_NewArrayBufferCopy(ctx, (const uint8_t *)text, length);
    JS_FreeCString(ctx, text);
    return buffer;
}

/* decode(buffer, offset, length): string */
FUNCTION(decode) {
    int64_t length;
    uint8_t *bytes = bytes_of(ctx, argv, &length);
    return bytes ? JS_NewStringLen(ctx, (const char *)bytes, (size_t)length) : JS_EXCEPTION;
}

/* read(fd, buffer, offset, length): number */
FUNCTION(read_bytes) {
    int32_t fd;
    int64_t length;
    if (JS_ToInt32(ctx, &fd, argv[0])) return JS_EXCEPTION;
    uint8_t *bytes = bytes_of(ctx, argv + 1, &length);
    return bytes ? result(ctx, read(fd, bytes, (size_t)length)) : JS_EXCEPTION;
}

/* write(fd, buffer, offset, length): number */
FUNCTION(write_bytes) {
    int32_t fd;
    int64_t length;
    if (JS_ToInt32(ctx, &fd, argv[0])) return JS_EXCEPTION;
    uint8_t *bytes = bytes_of(ctx, argv + 1, &length);
    return bytes ? result(ctx, write(fd, bytes, (size_t)length)) : JS_EXCEPTION;
}

/* connect(path): number -- a descriptor that never blocks */
FUNCTION(connect_to) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length;
    const char *path = JS_ToCStringLen(ctx, &length, argv[0]);
    if (!path) return JS_EXCEPTION;
    long fd = -1;
    if (length >= sizeof address.sun_path || memchr(path, 0, length)) {
        errno = ENAMETOOLONG;
    } else {
        memcpy(address.sun_path, path, length);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect((int)fd, (struct sockaddr *)&address, sizeof address) < 0) {
            int reason = errno;
            close((int)fd);
            errno = reason;
            fd = -1;
        }
    }
    JS_FreeCString(ctx, path);
    return result(ctx, fd);
}

/* wait(fd, writing, milliseconds): number -- 0 when the time is over; -1 milliseconds: for ever; fd -1: only sleeps */
FUNCTION(wait_for) {
    int32_t fd, milliseconds;
    int writing = JS_ToBool(ctx, argv[1]);
    if (writing < 0 || JS_ToInt32(ctx, &fd, argv[0]) || JS_ToInt32(ctx, &milliseconds, argv[2])) return JS_EXCEPTION;
    struct pollfd entry = {.fd = fd, .events = writing ? POLLOUT : POLLIN};
    return result(ctx, poll(&entry, 1, milliseconds));
}

FUNCTION(close_fd) {
    int32_t fd;
    if (JS_ToInt32(ctx, &fd, argv[0])) return JS_EXCEPTION;
    return result(ctx, close(fd));
}

/* Ends the process at once: there is nothing to tear down. */
FUNCTION(exit_with) {
    int32_t code;
    if (JS_ToInt32(ctx, &code, argv[0])) return JS_EXCEPTION;
    _exit(code);
}

/* nameOf(errno): string */
FUNCTION(name_of) {
    int32_t code;
    if (JS_ToInt32(ctx, &code, argv[0])) return JS_EXCEPTION;
    const char *name = strerrorname_np(code);
    return JS_NewString(ctx, name ? name : "an unknown error");
}

/* now(): number -- milliseconds of a clock that nobody sets */
FUNCTION(now) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return JS_NewFloat64(ctx, (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6);
}

FUNCTION(pid) {
    return JS_NewInt32(ctx, getpid());
}

enum { MKDIR, CREATE, UNLINK, RENAME, SIZE };

/* mkdir(path), create(path), unlink(path), rename(from, to), size(path): number -- readable by the owner alone */
static JSValue on_file(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int what) {
    struct stat about;
    long value = -1;
    const char *path = JS_ToCString(ctx, argv[0]);
    const char *to = path && what == RENAME ? JS_ToCString(ctx, argv[1]) : NULL;
    if (!path || (what == RENAME && !to)) return JS_EXCEPTION;
    switch (what) {
    case MKDIR: value = mkdir(path, 0700); break;
    case CREATE: value = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); break;
    case UNLINK: value = unlink(path); break;
    case RENAME: value = rename(path, to); break;
    case SIZE: value = lstat(path, &about) < 0 ? -1 : (long)about.st_size; break;
    }
    JSValue answer = result(ctx, value);
    JS_FreeCString(ctx, path);
    if (to) JS_FreeCString(ctx, to);
    return answer;
}

/* list(path): string[] | number */
FUNCTION(list_folder) {
    const char *path = JS_ToCString(ctx, argv[0]);
    if (!path) return JS_EXCEPTION;
    DIR *folder = opendir(path);
    JS_FreeCString(ctx, path);
    if (!folder) return result(ctx, -1);
    JSValue list = JS_NewArray(ctx);
    uint32_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            JS_SetPropertyUint32(ctx, list, count++, JS_NewString(ctx, entry->d_name));
    closedir(folder);
    return list;
}

/* Deeper recursion is an error that the program catches. */
static size_t most_stack(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > MOST_STACK + STACK_LEFT)
        return MOST_STACK;
    return limit.rlim_cur > 2 * STACK_LEFT ? limit.rlim_cur - STACK_LEFT : STACK_LEFT;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("environment", 0, environment),
    JS_CFUNC_DEF("encode", 1, encode),
    JS_CFUNC_DEF("decode", 3, decode),
    JS_CFUNC_DEF("read", 4, read_bytes),
    JS_CFUNC_DEF("write", 4, write_bytes),
    JS_CFUNC_DEF("connect", 1, connect_to),
    JS_CFUNC_DEF("wait", 3, wait_for),
    JS_CFUNC_DEF("close", 1, close_fd),
    JS_CFUNC_DEF("exit", 1, exit_with),
    JS_CFUNC_DEF("nameOf", 1, name_of),
    JS_CFUNC_DEF("now", 0, now),
    JS_CFUNC_DEF("pid", 0, pid),
    JS_CFUNC_MAGIC_DEF("mkdir", 1, on_file, MKDIR),
    JS_CFUNC_MAGIC_DEF("create", 1, on_file, CREATE),
    JS_CFUNC_MAGIC_DEF("unlink", 1, on_file, UNLINK),
    JS_CFUNC_MAGIC_DEF("rename", 2, on_file, RENAME),
    JS_CFUNC_MAGIC_DEF("size", 1, on_file, SIZE),
    JS_CFUNC_DEF("list", 1, list_folder),
};

/* The program catches what it can meet. This is for its mistakes: still an answer that the runtime understands. */
static void complain(JSContext *ctx) {
    const char *text = JS_ToCString(ctx, JS_GetException(ctx));
    char line[512], words[256];
    size_t length = 0;
    for (const char *at = text ? text : "out of memory"; *at && length + 1 < sizeof words; at++)
        words[length++] = *at < ' ' || *at == '"' || *at == '\\' || *at == 127 ? ' ' : *at;
    words[length] = 0;
    int size = snprintf(line, sizeof line,
                        "{\"cniVersion\":\"1.1.0\",\"code\":999,\"msg\":\"the CNI executable failed: %s\"}", words);
    if (write(STDOUT_FILENO, line, (size_t)size) < 0) _exit(2);
    _exit(1);
}

int main(void) {
    /* An agent that dies while it is written to is an error like others: the call is queued then. */
    signal(SIGPIPE, SIG_IGN);
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *ctx = runtime ? JS_NewContextRaw(runtime) : NULL;
    if (!ctx) return 1;
    JS_SetMemoryLimit(runtime, MOST_MEMORY);
    JS_SetMaxStackSize(runtime, most_stack());
    /* The process is over before garbage matters. */
    JS_SetGCThreshold(runtime, (size_t)-1);
    JS_AddIntrinsicBaseObjects(ctx);
    JS_AddIntrinsicRegExp(ctx);
    JS_AddIntrinsicJSON(ctx);
    JS_AddIntrinsicTypedArrays(ctx);
    JSValue host = JS_NewObject(ctx);
    JS_SetPropertyFunctionList(ctx, host, functions, sizeof functions / sizeof *functions);
    JSValue global = JS_GetGlobalObject(ctx);
    JS_SetPropertyStr(ctx, global, "host", host);
    JSValue program = JS_ReadObject(ctx, berth_program, berth_program_size, JS_READ_OBJ_BYTECODE);
    if (JS_IsException(program) || JS_IsException(JS_EvalFunction(ctx, program))) complain(ctx);
    return 0;
}
