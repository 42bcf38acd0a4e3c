/* Replies of both protocols: where one ends, and whether it has status 0. */
#include <stdint.h>
#include <string.h>

/* Return the size of the attribute list that begins the buffer, 0 when it is not all there. */
static size_t list_size(const char *data, size_t size)
{
    size_t at = 0;

    for (int is_name = 1;; is_name = !is_name) {
        const char *end = at < size ? memchr(data + at, 0, size - at) : NULL;

        if (end == NULL)
            return 0;
        if (is_name && end == data + at)
            return at + 1;
        at = (size_t)(end - data) + 1;
    }
}

static uint64_t big_endian(const unsigned char *data, size_t size)
{
    uint64_t value = 0;

    while (size--)
        value = value << 8 | *data++;
    return value;
}

/*
 * Return the size of the MessagePack object that begins the buffer, 0 when it is not all there,
 * SIZE_MAX when it has a type that no reply uses.
 */
static size_t object_size(const unsigned char *data, size_t size)
{
    static const unsigned char fixed[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; /* 0xca to 0xd3 */
    size_t at = 0;

    for (uint64_t wanted = 1; wanted > 0; wanted--) {
        unsigned char type;
        size_t prefix = 0;

        if (at >= size)
            return 0;
        type = data[at++];
        if (type >= 0xc4 && type <= 0xc6)
            prefix = (size_t)1 << (type - 0xc4);
        else if (type >= 0xd9 && type <= 0xdb)
            prefix = (size_t)1 << (type - 0xd9);
        else if (type >= 0xdc && type <= 0xdf)
            prefix = type & 1 ? 4 : 2;
        if (at + prefix > size)
            return 0;
        if (type >= 0x80 && type <= 0x8f)
            wanted += 2u * (type & 15u);
        else if (type >= 0x90 && type <= 0x9f)
            wanted += type & 15u;
        else if (type >= 0xa0 && type <= 0xbf)
            at += type & 31u;
        else if (type >= 0xca && type <= 0xd3)
            at += fixed[type - 0xca];
        else if (type >= 0xdc)
            wanted += type >= 0xe0 ? 0 : big_endian(data + at, prefix) * (type >= 0xde ? 2 : 1);
        else if (prefix)
            at += big_endian(data + at, prefix);
        else if (type > 0xc3)
            return SIZE_MAX;
        at += prefix;
    }
    return at <= size ? at : 0;
}

/* Tell whether a whole reply has status 0. */
static int is_ok(const char *data, size_t size, int speaks_rpc)
{
    static const char list[] = "status\0" "0";
    /* [1, 0, nil, {"status": 0, ...}], less the byte with the size of the map */
    static const char response[] = "\x94\x01\x00\xc0", status[] = "\xa6status\x00";

    if (!speaks_rpc)
        return size >= sizeof list && memcmp(data, list, sizeof list) == 0;
    return size >= 5 + 8 && memcmp(data, response, 4) == 0 && memcmp(data + 5, status, 8) == 0;
}
