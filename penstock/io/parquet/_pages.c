/* Reads and decodes column chunks of a Parquet file: numbers, flat, at most optional.
 *
 * Data pages of both versions, encoded plainly or by a dictionary, compressed by Snappy or not at
 * all. Whatever else there is, and whatever is damaged, is declined, so that the caller's library
 * reads it or says what is wrong with it. Nothing in the file is believed: every length is
 * compared with what is there, every index with its dictionary. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP 1024               /* values, which stay in the cache */
#define SLACK 64                /* bytes behind every input, that loads and copies may touch */
#define MOST_PAGE (32 << 20)    /* bytes of a page, beyond which the memory is not ours to take */
#define MOST_DEPTH 8

enum { DATA_PAGE = 0, INDEX_PAGE = 1, DICTIONARY_PAGE = 2, DATA_PAGE_V2 = 3 };
enum { PLAIN = 0, PLAIN_DICTIONARY = 2, RLE = 3, RLE_DICTIONARY = 8 };

typedef struct {
    const uint8_t *at, *end;
} Input;

static size_t left(const Input *input)
{
    return (size_t)(input->end - input->at);
}

/* -- Thrift's compact protocol: the header of a page ------------------------------------------ */

typedef struct {
    int64_t type, uncompressed, compressed;
    int64_t count, encoding, level_encoding;
    int64_t level_bytes, repetition_bytes;
    int plainly; /* a page of version 2 whose values are not compressed */
} Header;

static int take_varint(Input *input, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && input->at < input->end; shift += 7) {
        uint8_t byte = *input->at++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

static int take_integer(Input *input, int64_t *value)
{
    uint64_t zigzag;
    if (!take_varint(input, &zigzag))
        return 0;
    *value = (int64_t)(zigzag >> 1) ^ -(int64_t)(zigzag & 1);
    return 1;
}

enum { STOP = 0, TRUE = 1, FALSE = 2, BYTE = 3, INT16 = 4, INT64 = 6, DOUBLE = 7, BINARY = 8,
       LIST = 9, SET = 10, STRUCT = 12 };

static int take_field(Input *input, int64_t *number, int *type)
{
    if (input->at == input->end)
        return 0;
    uint8_t byte = *input->at++;
    *type = byte & 15;
    if (*type == STOP)
        return 1;
    if (byte >> 4)
        *number += byte >> 4;
    else if (!take_integer(input, number) || *number < INT16_MIN || *number > INT16_MAX)
        return 0;
    return 1;
}

static int skip_bytes(Input *input, uint64_t count)
{
    if (count > left(input))
        return 0;
    input->at += count;
    return 1;
}

static int skip(Input *input, int type, int depth)
{
    uint64_t number;
    int64_t field = 0;
    if (depth > MOST_DEPTH)
        return 0;
    switch (type) {
    case TRUE: case FALSE: return 1;
    case BYTE: return skip_bytes(input, 1);
    case DOUBLE: return skip_bytes(input, 8);
    case BINARY: return take_varint(input, &number) && skip_bytes(input, number);
    case LIST: case SET: {
        if (input->at == input->end)
            return 0;
        uint8_t byte = *input->at++;
        number = byte >> 4;
        type = byte & 15;
        if (number == 15 && !take_varint(input, &number))
            return 0;
        if (number > left(input)) /* each takes a byte at least */
            return 0;
        if (type == TRUE || type == FALSE)
            return skip_bytes(input, number);
        while (number-- > 0)
            if (!skip(input, type, depth + 1))
                return 0;
        return 1;
    }
    case STRUCT:
        for (;;) {
            if (!take_field(input, &field, &type))
                return 0;
            if (type == STOP)
                return 1;
            if (!skip(input, type, depth + 1))
                return 0;
        }
    default:
        return type >= INT16 && type <= INT64 && take_varint(input, &number);
    }
}

/* The header of pages of one kind, within that of the page. */
static int take_kind(Input *input, Header *header, int64_t kind)
{
    int64_t field = 0, value;
    int type;
    for (;;) {
        if (!take_field(input, &field, &type))
            return 0;
        if (type == STOP)
            return 1;
        if (type < INT16 || type > INT64) {
            if (kind == 8 && field == 7)
                header->plainly = type == FALSE;
            if (!skip(input, type, 0))
                return 0;
            continue;
        }
        if (!take_integer(input, &value))
            return 0;
        if (field == 1)
            header->count = value;
        else if (field == (kind == 8 ? 4 : 2))
            header->encoding = value;
        else if (kind == 5 && field == 3)
            header->level_encoding = value;
        else if (kind == 8 && field == 5)
            header->level_bytes = value;
        else if (kind == 8 && field == 6)
            header->repetition_bytes = value;
    }
}

static int take_header(Input *input, Header *header)
{
    int64_t field = 0, value;
    int type;
    *header = (Header){.type = -1, .uncompressed = -1, .compressed = -1, .count = -1,
                       .encoding = -1, .level_encoding = RLE};
    for (;;) {
        if (!take_field(input, &field, &type))
            return 0;
        if (type == STOP)
            break;
        if (type == STRUCT && (field == 5 || field == 7 || field == 8)) {
            if (!take_kind(input, header, field))
                return 0;
        } else if (type < INT16 || type > INT64) {
            if (!skip(input, type, 0))
                return 0;
        } else {
            if (!take_integer(input, &value))
                return 0;
            if (field == 1)
                header->type = value;
            else if (field == 2)
                header->uncompressed = value;
            else if (field == 3)
                header->compressed = value;
        }
    }
    return header->uncompressed >= 0 && header->uncompressed <= MOST_PAGE &&
           header->compressed >= 0 && (uint64_t)header->compressed <= left(input);
}

/* -- Snappy ----------------------------------------------------------------------------------- */

static void copy_16(uint8_t *to, const uint8_t *from)
{
    memcpy(to, from, 16);
}

/* Decompresses `input`, behind which SLACK bytes may be read, to exactly `size` bytes at `start`,
 * behind which SLACK bytes may be written. */
static int unsnappy(Input input, uint8_t *start, size_t size)
{
    uint8_t *to = start, *const end = start + size;
    uint64_t known;
    if (!take_varint(&input, &known) || known != size)
        return 0;
    while (input.at < input.end) {
        uint8_t tag = *input.at++;
        size_t length = tag >> 2, offset, extra;
        if ((tag & 3) == 0) {
            if (length >= 60) {
                extra = length - 59;
                if (extra > left(&input))
                    return 0;
                length = 0;
                for (size_t i = 0; i < extra; i++)
                    length |= (size_t)input.at[i] << 8 * i;
                input.at += extra;
            }
            length++;
            if (length > left(&input) || length > (size_t)(end - to))
                return 0;
            if (length <= 16)
                copy_16(to, input.at);
            else
                memcpy(to, input.at, length);
            to += length;
            input.at += length;
            continue;
        }
        extra = (tag & 3) == 3 ? 4 : tag & 3;
        if (extra > left(&input))
            return 0;
        if (extra == 1) {
            offset = (size_t)(tag >> 5) << 8 | input.at[0];
            length = (length & 7) + 4;
        } else {
            offset = 0;
            for (size_t i = 0; i < extra; i++)
                offset |= (size_t)input.at[i] << 8 * i;
            length++;
        }
        input.at += extra;
        if (offset == 0 || offset > (size_t)(to - start) || length > (size_t)(end - to))
            return 0;
        const uint8_t *from = to - offset;
        if (offset >= 16)
            for (size_t i = 0; i < length; i += 16)
                copy_16(to + i, from + i);
        else
            for (size_t i = 0; i < length; i++)
                to[i] = from[i];
        to += length;
    }
    return to == end;
}

/* -- The hybrid of run lengths and packed bits ------------------------------------------------ */

typedef struct {
    Input input;
    unsigned width;        /* bits of a value, at most 32 */
    uint64_t repeats;      /* of `value`, still to come */
    uint32_t value;
    uint64_t packed;       /* values in groups of 8, still to come from `input` */
    uint32_t pending[8];   /* of a group that was asked for in parts */
    unsigned first, known; /* of those */
} Hybrid;

static uint64_t load(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* With the width known to the compiler, shifts and addresses are constants. */
#define UNPACK(bits)                                                                              \
    case bits:                                                                                    \
        for (size_t group = 0; group < groups; group++, from += (bits), to += 8)                  \
            for (unsigned i = 0; i < 8; i++)                                                      \
                to[i] = (uint32_t)(load(from + (i * (bits) >> 3)) >> (i * (bits) & 7)) &          \
                        (uint32_t)((UINT64_C(1) << (bits)) - 1);                                  \
        break;

static void unpack(const uint8_t *from, unsigned width, uint32_t *to, size_t groups)
{
    switch (width) {
    UNPACK(0) UNPACK(1) UNPACK(2) UNPACK(3) UNPACK(4) UNPACK(5) UNPACK(6) UNPACK(7) UNPACK(8)
    UNPACK(9) UNPACK(10) UNPACK(11) UNPACK(12) UNPACK(13) UNPACK(14) UNPACK(15) UNPACK(16)
    UNPACK(17) UNPACK(18) UNPACK(19) UNPACK(20) UNPACK(21) UNPACK(22) UNPACK(23) UNPACK(24)
    UNPACK(25) UNPACK(26) UNPACK(27) UNPACK(28) UNPACK(29) UNPACK(30) UNPACK(31) UNPACK(32)
    default: break;
    }
}

static int end_of_runs(Hybrid *hybrid)
{
    hybrid->input.at = hybrid->input.end;
    return 0;
}

static int next_run(Hybrid *hybrid)
{
    uint64_t header;
    if (!take_varint(&hybrid->input, &header))
        return end_of_runs(hybrid);
    if (header & 1) {
        uint64_t groups = header >> 1;
        if (groups > UINT32_MAX || groups * hybrid->width > left(&hybrid->input))
            return end_of_runs(hybrid);
        hybrid->packed = groups * 8;
        return 1;
    }
    size_t bytes = (hybrid->width + 7) / 8;
    if (bytes > left(&hybrid->input))
        return end_of_runs(hybrid);
    hybrid->value = 0;
    for (size_t i = 0; i < bytes; i++)
        hybrid->value |= (uint32_t)*hybrid->input.at++ << 8 * i;
    hybrid->repeats = header >> 1;
    return 1;
}

/* Takes the next `count` values; returns 0 when there are not so many. */
static int take(Hybrid *hybrid, uint32_t *to, size_t count)
{
    while (count > 0) {
        size_t some;
        if (hybrid->first < hybrid->known) {
            some = hybrid->known - hybrid->first;
            some = some < count ? some : count;
            memcpy(to, hybrid->pending + hybrid->first, some * sizeof *to);
            hybrid->first += (unsigned)some;
        } else if (hybrid->repeats > 0) {
            some = hybrid->repeats < count ? (size_t)hybrid->repeats : count;
            for (size_t i = 0; i < some; i++)
                to[i] = hybrid->value;
            hybrid->repeats -= some;
        } else if (hybrid->packed > 0) {
            some = (hybrid->packed < count ? (size_t)hybrid->packed : count) / 8;
            int part = some == 0;
            unpack(hybrid->input.at, hybrid->width, part ? hybrid->pending : to, part ? 1 : some);
            some = part ? 1 : some;
            hybrid->input.at += some * hybrid->width;
            hybrid->packed -= some * 8;
            some *= 8;
            if (part) {
                hybrid->first = 0;
                hybrid->known = 8;
                continue;
            }
        } else {
            if (!next_run(hybrid))
                return 0;
            continue;
        }
        to += some;
        count -= some;
    }
    return 1;
}

/* Takes `count` levels if all say that the value is there. */
static int take_present(Hybrid *hybrid, size_t count)
{
    if (hybrid->first == hybrid->known && hybrid->repeats == 0 && hybrid->packed == 0 &&
        !next_run(hybrid))
        return 0;
    if (hybrid->first < hybrid->known || hybrid->repeats < count || hybrid->value != 1)
        return 0;
    hybrid->repeats -= count;
    return 1;
}

/* -- Pages ------------------------------------------------------------------------------------ */

typedef struct {
    int64_t offset; /* of the chunk in the file */
    size_t length;  /* of it */
    size_t count;   /* of values */
    unsigned width; /* of one, 4 or 8 bytes */
    int nullable, snappy;
    uint8_t *values; /* where the chunk's values go */
    uint8_t *valid;  /* a bit for each value of the column, all set; NULL unless nullable */
    size_t first;    /* of the chunk among the bits */
    int64_t nulls;   /* -1 when the chunk is declined */
} Chunk;

typedef struct {
    uint8_t *bytes;
    size_t size;
} Scratch;

static uint8_t *reserve(Scratch *scratch, size_t size)
{
    if (size + SLACK > scratch->size || scratch->bytes == NULL) {
        free(scratch->bytes);
        scratch->size = size + SLACK;
        scratch->bytes = malloc(scratch->size);
        if (scratch->bytes != NULL) /* what lies behind an input is read, though not used */
            memset(scratch->bytes + size, 0, SLACK);
    }
    return scratch->bytes;
}

typedef struct {
    const uint8_t *entries;
    size_t count;
} Dictionary;

/* Looks `count` indices up; returns 0 when one is beyond the dictionary. */
static int look_up(const Dictionary *dictionary, unsigned width, const uint32_t *indices,
                   size_t count, uint8_t *to)
{
    /* A comparison of unsigned numbers would keep the loop from being vectorised for any x86-64:
     * what is beyond the last one sets the highest bit of itself or of the difference. */
    uint32_t outside = 0, last = (uint32_t)dictionary->count - 1;
    for (size_t i = 0; i < count; i++)
        outside |= (last - indices[i]) | indices[i];
    if (count > 0 && (dictionary->count == 0 || outside >> 31))
        return 0;
    if (width == 4)
        for (size_t i = 0; i < count; i++)
            memcpy(to + 4 * i, dictionary->entries + 4 * (size_t)indices[i], 4);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(to + 8 * i, dictionary->entries + 8 * (size_t)indices[i], 8);
    return 1;
}

/* Puts values where their levels are 1; under a missing value lies the one that follows. */
#define SPREAD(bytes)                                                                             \
    if (missing == 0 && some == 8) {                                                              \
        memcpy(to, from, 8 * (bytes));                                                            \
        from += 8 * (bytes);                                                                      \
    } else {                                                                                      \
        for (size_t k = 0; k < some; k++) {                                                       \
            memcpy(to + (bytes) * k, from, (bytes));                                              \
            from += (bytes) * levels[i + k];                                                      \
        }                                                                                         \
    }                                                                                             \
    to += 8 * (bytes);

/* Spreads values over `count` rows, and clears the bits from `bit` on of those without one. */
static void spread(const uint8_t *from, unsigned width, const uint32_t *levels, size_t count,
                   uint8_t *to, uint8_t *valid, size_t bit)
{
    unsigned shift = bit & 7;
    valid += bit >> 3;
    for (size_t i = 0; i < count; i += 8, valid++) {
        unsigned missing = 0;
        size_t some = count - i < 8 ? count - i : 8;
        for (size_t k = 0; k < some; k++)
            missing |= (1 - levels[i + k]) << k;
        if (width == 4) {
            SPREAD(4)
        } else {
            SPREAD(8)
        }
        missing <<= shift;
        if (missing & 0xff)
            valid[0] &= (uint8_t)~missing;
        if (missing >> 8) /* only where there is such a row */
            valid[1] &= (uint8_t)~(missing >> 8);
    }
}

/* Decodes the `count` values of a page from `row` on. */
static int decode_values(Chunk *chunk, size_t row, size_t count, Hybrid *levels, Input values,
                         int64_t encoding, const Dictionary *dictionary)
{
    const unsigned width = chunk->width;
    Hybrid hybrid = {.width = 0};
    uint32_t level[STEP], indices[STEP + 8];
    uint8_t some[8 * (STEP + 1)];
    int plain = encoding == PLAIN;
    if (!plain) {
        if (encoding != PLAIN_DICTIONARY && encoding != RLE_DICTIONARY)
            return 0;
        if (left(&values) > 0) {
            hybrid.width = *values.at++;
            if (hybrid.width > 32)
                return 0;
        }
        hybrid.input = values;
    }
    for (size_t done = 0; done < count;) {
        size_t step = count - done < STEP ? count - done : STEP, present = step;
        uint8_t *to = chunk->values + (row + done) * width;
        int all = levels == NULL || take_present(levels, step);
        if (!all) {
            if (!take(levels, level, step))
                return 0;
            present = 0;
            for (size_t i = 0; i < step; i++) {
                if (level[i] > 1)
                    return 0;
                present += level[i];
            }
            all = present == step;
        }
        if (plain) {
            if (present * width > left(&values))
                return 0;
            memcpy(all ? to : some, values.at, present * width);
            values.at += present * width;
        } else if (!take(&hybrid, indices, present) ||
                   !look_up(dictionary, width, indices, present, all ? to : some)) {
            return 0;
        }
        if (!all) {
            memset(some + present * width, 0, width);
            spread(some, width, level, step, to, chunk->valid, chunk->first + row + done);
            chunk->nulls += (int64_t)(step - present);
        }
        done += step;
    }
    return 1;
}

/* Decodes a data page from `row` on; returns how many values it has, 0 when it is declined. */
static size_t decode_page(Chunk *chunk, const Header *header, Input body, size_t row,
                          const Dictionary *dictionary, Scratch *scratch)
{
    Hybrid levels = {.width = 1};
    if (header->count <= 0 || (uint64_t)header->count > chunk->count - row)
        return 0;
    size_t count = (size_t)header->count, size = (size_t)header->uncompressed;
    int snappy = chunk->snappy;
    if (header->type == DATA_PAGE_V2) {
        uint64_t bytes = (uint64_t)header->level_bytes;
        if (header->repetition_bytes != 0 || header->level_bytes < 0 || bytes > left(&body) ||
            bytes > size || (!chunk->nullable && bytes != 0))
            return 0;
        levels.input = (Input){body.at, body.at + bytes};
        body.at += bytes;
        size -= bytes;
        snappy = snappy && !header->plainly;
    }
    if (snappy && (size > 0 || left(&body) > 0)) {
        uint8_t *bytes = reserve(scratch, size);
        if (bytes == NULL || !unsnappy(body, bytes, size))
            return 0;
        body = (Input){bytes, bytes + size};
    } else if (left(&body) != size) {
        return 0;
    }
    if (header->type == DATA_PAGE && chunk->nullable) {
        if (header->level_encoding != RLE || left(&body) < 4)
            return 0;
        size_t bytes = (size_t)(load(body.at) & UINT32_MAX);
        body.at += 4;
        if (bytes > left(&body))
            return 0;
        levels.input = (Input){body.at, body.at + bytes};
        body.at += bytes;
    }
    return decode_values(chunk, row, count, chunk->nullable ? &levels : NULL, body,
                         header->encoding, dictionary)
               ? count
               : 0;
}

static int decode_chunk(Chunk *chunk, Input input, Scratch *page, Scratch *entries)
{
    Dictionary dictionary = {NULL, 0};
    Header header;
    chunk->nulls = 0;
    for (size_t row = 0; row < chunk->count;) {
        if (!take_header(&input, &header))
            return 0;
        Input body = {input.at, input.at + header.compressed};
        input.at = body.end;
        if (header.type == DICTIONARY_PAGE) {
            size_t size = (size_t)header.uncompressed;
            if ((header.encoding != PLAIN && header.encoding != PLAIN_DICTIONARY) ||
                header.count < 0 || (uint64_t)header.count > size / chunk->width)
                return 0;
            dictionary = (Dictionary){body.at, (size_t)header.count};
            if (chunk->snappy) {
                dictionary.entries = reserve(entries, size);
                if (dictionary.entries == NULL || !unsnappy(body, entries->bytes, size))
                    return 0;
            } else if (left(&body) != size) {
                return 0;
            }
        } else if (header.type == DATA_PAGE || header.type == DATA_PAGE_V2) {
            size_t count = decode_page(chunk, &header, body, row, &dictionary, page);
            if (count == 0)
                return 0;
            row += count;
        } else if (header.type != INDEX_PAGE) {
            return 0;
        }
    }
    return 1;
}

static int read_bytes(int file, int64_t offset, uint8_t *to, size_t size)
{
    while (size > 0) {
        ssize_t got = pread(file, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        to += got;
        offset += got;
        size -= (size_t)got;
    }
    return 1;
}

static void read_all(int file, Chunk *chunks, size_t count)
{
    Scratch stored = {NULL, 0}, page = {NULL, 0}, entries = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        Chunk *chunk = &chunks[i];
        uint8_t *bytes = reserve(&stored, chunk->length);
        if (bytes == NULL || !read_bytes(file, chunk->offset, bytes, chunk->length) ||
            !decode_chunk(chunk, (Input){bytes, bytes + chunk->length}, &page, &entries))
            chunk->nulls = -1;
    }
    free(stored.bytes);
    free(page.bytes);
    free(entries.bytes);
}

/* -- Python ----------------------------------------------------------------------------------- */

/* Takes (offset, length, count, width, snappy, values, valid or None, first). */
static int take_chunk(PyObject *item, Chunk *chunk, Py_buffer *values, Py_buffer *valid)
{
    long long offset;
    Py_ssize_t length, count, first;
    int width, snappy;
    PyObject *bits;
    values->obj = valid->obj = NULL;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a chunk is a tuple");
        return 0;
    }
    if (!PyArg_ParseTuple(item, "Lnnipw*On", &offset, &length, &count, &width, &snappy, values,
                          &bits, &first))
        return 0;
    if (bits != Py_None && PyObject_GetBuffer(bits, valid, PyBUF_WRITABLE) < 0)
        goto fail;
    if (offset < 0 || length < 0 || length > PY_SSIZE_T_MAX - SLACK || count < 0 || first < 0 ||
        (width != 4 && width != 8) || first > values->len / width ||
        count > values->len / width - first ||
        (valid->obj != NULL && (first + count + 7) / 8 > valid->len)) {
        PyErr_SetString(PyExc_ValueError, "a chunk's buffers are too short, or it has no width");
        goto fail;
    }
    *chunk = (Chunk){.offset = offset,
                     .length = (size_t)length,
                     .count = (size_t)count,
                     .width = (unsigned)width,
                     .nullable = valid->obj != NULL,
                     .snappy = snappy,
                     .values = (uint8_t *)values->buf + first * width,
                     .valid = valid->obj == NULL ? NULL : valid->buf,
                     .first = (size_t)first};
    return 1;
fail:
    if (valid->obj != NULL)
        PyBuffer_Release(valid);
    PyBuffer_Release(values);
    return 0;
}

static PyObject *read_chunks(PyObject *module, PyObject *arguments)
{
    (void)module;
    int file;
    PyObject *wanted, *result = NULL;
    if (!PyArg_ParseTuple(arguments, "iO!:read_chunks", &file, &PyTuple_Type, &wanted))
        return NULL;
    Py_ssize_t count = PyTuple_Size(wanted), taken = 0;
    Chunk *chunks = PyMem_Calloc((size_t)count + 1, sizeof *chunks);
    Py_buffer *buffers = PyMem_Calloc((size_t)count + 1, 2 * sizeof *buffers);
    if (chunks == NULL || buffers == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (; taken < count; taken++) {
        PyObject *item = PyTuple_GetItem(wanted, taken);
        if (item == NULL ||
            !take_chunk(item, &chunks[taken], &buffers[2 * taken], &buffers[2 * taken + 1]))
            goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    read_all(file, chunks, (size_t)count);
    Py_END_ALLOW_THREADS
    result = PyList_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *nulls = PyLong_FromLongLong(chunks[i].nulls);
        if (nulls == NULL || PyList_SetItem(result, i, nulls) < 0)
            Py_CLEAR(result);
    }
done:
    while (taken-- > 0) {
        PyBuffer_Release(&buffers[2 * taken]);
        if (buffers[2 * taken + 1].obj != NULL)
            PyBuffer_Release(&buffers[2 * taken + 1]);
    }
    PyMem_Free(chunks);
    PyMem_Free(buffers);
    return result;
}

PyDoc_STRVAR(read_chunks_doc,
"read_chunks(file, chunks, /)\n--\n\n"
"Read column chunks: (offset, length, count, width, snappy, values, valid, first) each.\n\n"
"`values` takes the column's values of `width` bytes, those of the chunk from `first` on;\n"
"`valid` has a bit for each, which is set, or is None where none can be missing.\n\n"
"Returns how many values of each chunk are missing, -1 for one that is left to others.");

static PyMethodDef methods[] = {
    {"read_chunks", read_chunks, METH_VARARGS, read_chunks_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "penstock.io.parquet._pages",
    .m_doc = "Pages of numbers in Parquet files.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__pages(void)
{
    return PyModuleDef_Init(&definition);
}
