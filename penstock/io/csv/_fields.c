/* Copies chosen fields of CSV records, so that a parser need not look at the others.
 *
 * Bytes are looked at 64 at a time: compared with the delimiter, the line feed, the quote and
 * the carriage return, they give words of 64 bits, in which what is inside quotes is masked out.
 * A record of n fields has n ends (n - 1 delimiters and a line feed), hence all records have n
 * fields if every n-th end is a line feed and no other is: counting tells, without a branch for
 * each field.
 *
 * Whatever the rules of quoting leave open is declined and not guessed at: the caller has a parser
 * that knows. The bytes are anybody's, so every access is bounded by the lengths given. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#define BLOCK 64          /* bytes in a word of marks */
#define TILE (64 * BLOCK) /* bytes between two visits to the records found */
#define SLACK 16          /* bytes that a short copy may write too many */

typedef struct {
    uint8_t delimiter, quote;
    int quotes; /* whether the quote means anything */
} Dialect;

typedef struct {
    uint64_t ends, newlines, quotes, returns;
} Marks; /* the lowest bit is the first byte */

typedef struct {
    uint32_t first, last;
} Range; /* neighbouring fields, which are copied at once */

typedef struct {
    const uint8_t *data;
    size_t size;
    uint8_t *out;
    size_t room;
    Dialect dialect;
    uint32_t width;
    const Range *ranges;
    size_t count;
    uint32_t *ends; /* of fields; room for `width` + TILE + BLOCK + 8 */
    size_t written, records;
} Job;

/* ---------------------------------------------------------------- marks */

#if defined(__SSE2__)

INLINE uint64_t mask(const __m128i *equal)
{
    uint64_t marks = 0;
    for (int i = 0; i < 4; i++)
        marks |= (uint64_t)(unsigned)_mm_movemask_epi8(equal[i]) << (16 * i);
    return marks;
}

INLINE Marks look(const uint8_t *bytes, Dialect dialect)
{
    const __m128i delimiter = _mm_set1_epi8((char)dialect.delimiter);
    const __m128i quote = _mm_set1_epi8((char)dialect.quote);
    const __m128i newline = _mm_set1_epi8('\n'), carriage = _mm_set1_epi8('\r');
    __m128i end[4], line[4], quoted[4], returned[4], any = _mm_setzero_si128();
    for (int i = 0; i < 4; i++) {
        __m128i part = _mm_loadu_si128((const __m128i *)(bytes + 16 * i));
        line[i] = _mm_cmpeq_epi8(part, newline);
        end[i] = _mm_or_si128(_mm_cmpeq_epi8(part, delimiter), line[i]);
        quoted[i] = _mm_cmpeq_epi8(part, quote);
        returned[i] = _mm_cmpeq_epi8(part, carriage);
        any = _mm_or_si128(any, _mm_or_si128(quoted[i], returned[i]));
    }
    Marks marks = {mask(end), mask(line), 0, 0};
    if (_mm_movemask_epi8(any)) {
        marks.quotes = dialect.quotes ? mask(quoted) : 0;
        marks.returns = mask(returned);
    }
    return marks;
}

#else

/* Eight bytes in a word; a byte equal to the wanted one gives zero, which alone has no bit. */
INLINE uint64_t equal8(const uint64_t *part, uint8_t byte)
{
    const uint64_t low = 0x7F7F7F7F7F7F7F7F;
    uint64_t zero[8], any = 0, marks = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t other = part[i] ^ (0x0101010101010101 * byte);
        any |= zero[i] = ~(((other & low) + low) | other | low) >> 7;
    }
    if (any)
        for (int i = 0; i < 8; i++)
            marks |= (zero[i] * 0x0102040810204080 >> 56) << (8 * i);
    return marks;
}

INLINE Marks look(const uint8_t *bytes, Dialect dialect)
{
    uint64_t part[8];
    for (int i = 0; i < 8; i++) {
        part[i] = 0;
        for (int j = 0; j < 8; j++) /* a single load where bytes are in this order */
            part[i] |= (uint64_t)bytes[8 * i + j] << (8 * j);
    }
    Marks marks = {equal8(part, dialect.delimiter), equal8(part, '\n'),
                   dialect.quotes ? equal8(part, dialect.quote) : 0, equal8(part, '\r')};
    marks.ends |= marks.newlines;
    return marks;
}

#endif

#if defined(__GNUC__)
#define COUNT_BITS(word) ((size_t)__builtin_popcountll(word))
#define FIRST_BIT(word) ((uint32_t)__builtin_ctzll(word)) /* of a word that is not 0 */
#else
#define COUNT_BITS(word) count_bits(word)
#define FIRST_BIT(word) ((uint32_t)count_bits(~(word) & ((word) - 1)))
static size_t count_bits(uint64_t word)
{
    size_t count = 0;
    for (; word; word &= word - 1)
        count++;
    return count;
}
#endif

/* ---------------------------------------------------------------- quotes */

typedef struct {
    uint64_t inside;           /* all ones inside quotes */
    uint64_t opens;            /* 1 where a quote may open */
    uint64_t closed, returned; /* 1 after a closing quote, after a carriage return */
} State; /* between two blocks */

/* Leaves in `marks` what is outside quotes; returns whether anything is amiss. */
INLINE uint64_t mask_quoted(Marks *marks, State *state)
{
    uint64_t quotes = marks->quotes, inside = quotes;
    for (int distance = 1; distance < 64; distance *= 2) /* parity of the quotes up to each bit */
        inside ^= inside << distance;
    inside ^= state->inside;
    marks->ends &= ~inside;
    marks->newlines &= ~inside;
    uint64_t returns = marks->returns & ~inside;
    uint64_t open = quotes & inside, close = quotes & ~inside;
    /* A quote opens at the start of a field or doubles the one before; after the one that closes
     * the field ends; a carriage return belongs to a line feed. */
    uint64_t wrong = open & ~((marks->ends | close) << 1 | state->opens);
    wrong |= (close << 1 | state->closed) & ~(marks->ends | open | returns);
    wrong |= (returns << 1 | state->returned) & ~marks->newlines;
    state->inside = 0 - (inside >> 63);
    state->opens = (marks->ends | close) >> 63;
    state->closed = close >> 63;
    state->returned = returns >> 63;
    return wrong;
}

/* ---------------------------------------------------------------- records */

/* Copies the chosen fields of whole records to the output. Returns how many of the ends belong to
 * these records, or SIZE_MAX to decline. */
INLINE size_t copy_records(Job *job, size_t found, size_t *start)
{
    size_t done = 0, width = job->width;
    uint8_t *out = job->out + job->written;
    const uint8_t *limit = job->out + job->room;
    while (found - done >= width) {
        const uint32_t *ends = job->ends + done;
        size_t end = ends[width - 1];
        if (end < job->size && job->data[end] != '\n')
            return SIZE_MAX;
        for (size_t i = 0; i < job->count; i++) {
            Range range = job->ranges[i];
            size_t from = range.first ? (size_t)ends[range.first - 1] + 1 : *start;
            size_t length = ends[range.last] - from;
            const uint8_t *source = job->data + from;
            if (range.last == width - 1 && length && source[length - 1] == '\r')
                length--;
            if ((size_t)(limit - out) < length + 1 + SLACK)
                return SIZE_MAX;
            if (length <= SLACK && job->size - from >= SLACK)
                memcpy(out, source, SLACK); /* two instructions */
            else
                memcpy(out, source, length);
            out += length;
            *out++ = job->dialect.delimiter;
        }
        out[-1] = '\n';
        *start = end + 1;
        done += width;
        job->records++;
    }
    job->written = (size_t)(out - job->out);
    return done;
}

/* Returns whether all went well; otherwise the job is declined. */
INLINE int run(Job *job)
{
    State state = {0, 1, 0, 0};
    size_t found = 0, start = 0, newlines = 0;
    uint8_t last[BLOCK] = {0};
    /* The last block is completed with zeros, and with the line feed that may be missing. */
    size_t whole = job->size - job->size % BLOCK, rest = job->size - whole;
    int missing = job->data[job->size - 1] != '\n';
    memcpy(last, job->data + whole, rest);
    if (missing)
        last[rest] = '\n';
    size_t stop = whole + (rest || missing ? BLOCK : 0);
    for (size_t tile = 0; tile < stop; tile += TILE) {
        size_t tile_stop = stop - tile < TILE ? stop : tile + TILE;
        for (size_t block = tile; block < tile_stop; block += BLOCK) {
            const uint8_t *bytes = block < whole ? job->data + block : last;
            Marks marks = look(bytes, job->dialect);
            if (marks.quotes | marks.returns | state.inside | state.closed | state.returned) {
                if (mask_quoted(&marks, &state))
                    return 0;
            } else {
                state.opens = marks.ends >> 63;
            }
            newlines += COUNT_BITS(marks.newlines);
            uint64_t ends = marks.ends;
            uint32_t *next = job->ends + found;
            found += COUNT_BITS(ends);
            while (ends) { /* eight at a time, as the number of rounds is hard to foresee */
                for (int i = 0; i < 8; i++) {
                    next[i] = (uint32_t)block + FIRST_BIT(ends | (uint64_t)1 << 63);
                    ends &= ends - 1;
                }
                next += 8;
            }
        }
        size_t done = copy_records(job, found, &start);
        if (done == SIZE_MAX)
            return 0;
        if (done) { /* what is left was found in this tile, so moving it is cheap */
            found -= done;
            memmove(job->ends, job->ends + done, found * sizeof *job->ends);
        }
    }
    return !state.inside && !found && newlines == job->records;
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same with the instructions that processors since 2013 have for bits. */
__attribute__((target("avx2,bmi,popcnt"))) static int run_quickly(Job *job)
{
    return run(job);
}
#endif

static int run_job(Job *job)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("popcnt"))
        return run_quickly(job);
#endif
    return run(job);
}

/* ---------------------------------------------------------------- Python */

/* Fills `job->ranges` from ascending field numbers; returns 0 with an error set if they are not. */
static int read_ranges(Job *job, Range *ranges, PyObject *wanted, Py_ssize_t count)
{
    long previous = -1;
    job->count = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GetItem(wanted, i);
        long field = item == NULL ? -1 : PyLong_AsLong(item);
        if (field == -1 && PyErr_Occurred())
            return 0;
        if (field <= previous || field >= (long)job->width) {
            PyErr_SetString(PyExc_ValueError, "wanted must be ascending numbers of fields");
            return 0;
        }
        if (job->count && field == previous + 1)
            ranges[job->count - 1].last = (uint32_t)field;
        else
            ranges[job->count++] = (Range){(uint32_t)field, (uint32_t)field};
        previous = field;
    }
    job->ranges = ranges;
    return 1;
}

static PyObject *narrow(PyObject *module, PyObject *arguments)
{
    (void)module;
    Py_buffer data, out;
    int width, delimiter, quote, well = 0;
    PyObject *wanted, *result = NULL;
    if (!PyArg_ParseTuple(arguments, "y*w*iO!ii:narrow", &data, &out, &width, &PyTuple_Type,
                          &wanted, &delimiter, &quote))
        return NULL;
    Py_ssize_t count = PyTuple_Size(wanted);
    Job job = {.data = data.buf, .size = (size_t)data.len, .out = out.buf,
               .room = (size_t)out.len, .width = (uint32_t)width};
    Range *ranges = NULL;
    if (width < 2 || width > 1 << 24 || count < 1 || delimiter < 1 || delimiter > 127 ||
        delimiter == '\n' || delimiter == '\r' || quote == delimiter || quote > 127 ||
        quote == '\n' || quote == '\r' || quote == 0) {
        PyErr_SetString(PyExc_ValueError, "width, wanted, delimiter or quote out of range");
        goto done;
    }
    job.dialect = (Dialect){(uint8_t)delimiter, (uint8_t)(quote < 0 ? 0 : quote), quote >= 0};
    ranges = PyMem_Malloc((size_t)count * sizeof *ranges);
    job.ends = PyMem_Malloc(((size_t)width + TILE + BLOCK + 8) * sizeof *job.ends);
    if (ranges == NULL || job.ends == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (!read_ranges(&job, ranges, wanted, count))
        goto done;
    if (job.size && job.size < (size_t)1 << 31 && job.data[job.size - 1] != '\r') {
        Py_BEGIN_ALLOW_THREADS
        well = run_job(&job);
        Py_END_ALLOW_THREADS
    }
    if (well)
        result = Py_BuildValue("nn", (Py_ssize_t)job.written, (Py_ssize_t)job.records);
    else
        result = Py_NewRef(Py_None);
done:
    PyMem_Free(job.ends);
    PyMem_Free(ranges);
    PyBuffer_Release(&data);
    PyBuffer_Release(&out);
    return result;
}

PyDoc_STRVAR(narrow_doc,
"narrow(data, out, width, wanted, delimiter, quote, /)\n--\n\n"
"Copy the fields `wanted` of the records in `data` to `out`.\n\n"
"Returns the bytes written and the number of records, or None where a record has not `width`\n"
"fields, where quotes or line ends are other than plain, or where `out` is too short.");

static PyMethodDef methods[] = {
    {"narrow", narrow, METH_VARARGS, narrow_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "penstock.io.csv._fields",
    .m_doc = "Chosen fields of CSV records.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__fields(void)
{
    return PyModuleDef_Init(&definition);
}
