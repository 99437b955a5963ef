/* Reads the numbers of CSV records whose every field is one.
 *
 * A field is empty, or digits with perhaps a minus before them and, for doubles, a fraction behind
 * them. A double of at most 15 digits is its digits as an integer divided by a power of ten: both
 * are exact, hence the quotient is the double nearest to the text (Clinger, How to read floating
 * point numbers accurately, 1990). Everything else, longer numbers and exponents among it, is
 * declined and not guessed at: the caller has a parser that knows. The bytes are anybody's, so
 * every access is bounded by the lengths given. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>

#define MOST_COLUMNS 256
#define MOST_DIGITS 18       /* of an integer: none overflows */
#define MOST_EXACT_DIGITS 15 /* of a double */

static const double POWERS[MOST_EXACT_DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

typedef struct {
    int real; /* doubles, not 64-bit integers */
    void *values;
    uint8_t *valid; /* a bit for each record, all clear at first */
    size_t missing;
} Column;

typedef struct {
    const uint8_t *at, *end;
    size_t records, count;
    Column *columns;
    uint8_t delimiter;
} Job;

/* Reads one field into row `row` of `column`; returns what follows it, or NULL to decline. */
static inline const uint8_t *read_number(const uint8_t *at, const uint8_t *end, Column *column,
                                         size_t row)
{
    uint64_t digits = 0;
    unsigned digit;
    int negative = at < end && *at == '-';
    const uint8_t *first = at += negative;
    while (at < end && (digit = (unsigned)*at - '0') <= 9) {
        digits = digits * 10 + digit;
        at++;
    }
    ptrdiff_t whole = at - first, fraction = 0;
    if (whole == 0) {
        if (negative)
            return NULL;
        column->missing++;
        ((uint64_t *)column->values)[row] = 0;
        return at;
    }
    if (whole > MOST_DIGITS || (whole > 1 && *first == '0'))
        return NULL;
    if (column->real) {
        if (at < end && *at == '.') {
            const uint8_t *point = at++;
            while (at < end && (digit = (unsigned)*at - '0') <= 9) {
                digits = digits * 10 + digit;
                at++;
            }
            fraction = at - point - 1;
            if (fraction == 0)
                return NULL;
        }
        if (fraction > MOST_EXACT_DIGITS || whole + fraction > MOST_EXACT_DIGITS)
            return NULL;
        double value = (double)digits / POWERS[fraction];
        ((double *)column->values)[row] = negative ? -value : value;
    } else {
        ((int64_t *)column->values)[row] = negative ? -(int64_t)digits : (int64_t)digits;
    }
    column->valid[row >> 3] |= (uint8_t)(1u << (row & 7));
    return at;
}

/* Returns whether all records were plain. */
static int run(Job *job)
{
#if FLT_EVAL_METHOD != 0
    return 0; /* a quotient would be rounded twice */
#endif
    const uint8_t *at = job->at, *end = job->end;
    for (size_t row = 0; row < job->records; row++) {
        for (size_t i = 0; i < job->count; i++) {
            at = read_number(at, end, &job->columns[i], row);
            if (at == NULL)
                return 0;
            if (i + 1 < job->count) {
                if (at == end || *at != job->delimiter)
                    return 0;
                at++;
            } else {
                if (at < end && *at == '\r')
                    at++;
                if (at == end || *at != '\n')
                    return 0;
                at++;
            }
        }
    }
    return at == end;
}

/* Takes the buffers of one column; returns 0 with an error set if they do not fit. */
static int take_buffers(PyObject *item, size_t records, Column *column, Py_buffer *values,
                        Py_buffer *valid)
{
    PyObject *first, *second;
    if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "pOO", &column->real, &first, &second))
        return 0;
    if (PyObject_GetBuffer(first, values, PyBUF_WRITABLE) < 0)
        return 0;
    if (PyObject_GetBuffer(second, valid, PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(values);
        return 0;
    }
    column->values = values->buf;
    column->valid = valid->buf;
    column->missing = 0;
    if ((size_t)values->len / 8 < records || (size_t)valid->len < (records + 7) / 8 ||
        (uintptr_t)values->buf % 8 != 0) {
        PyErr_SetString(PyExc_ValueError, "a column's buffers are too short or not aligned");
        PyBuffer_Release(values);
        PyBuffer_Release(valid);
        return 0;
    }
    return 1;
}

static PyObject *read_numbers(PyObject *module, PyObject *arguments)
{
    (void)module;
    static const char range[] = "records, columns or delimiter out of range";
    Py_buffer data, buffers[2 * MOST_COLUMNS];
    Column columns[MOST_COLUMNS];
    Py_ssize_t records, taken = 0;
    int delimiter, plain = 0;
    PyObject *wanted, *result = NULL;
    if (!PyArg_ParseTuple(arguments, "y*nO!i:read_numbers", &data, &records, &PyTuple_Type,
                          &wanted, &delimiter))
        return NULL;
    Py_ssize_t count = PyTuple_Size(wanted);
    if (records < 0 || count < 1 || count > MOST_COLUMNS || delimiter < 1 || delimiter > 127 ||
        delimiter == '\n' || delimiter == '\r') {
        PyErr_SetString(PyExc_ValueError, range);
        goto done;
    }
    for (; taken < count; taken++) {
        PyObject *item = PyTuple_GetItem(wanted, taken);
        if (item == NULL || !take_buffers(item, (size_t)records, &columns[taken],
                                          &buffers[2 * taken], &buffers[2 * taken + 1])) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a column is (real, values, valid)");
            goto done;
        }
    }
    Job job = {data.buf, (const uint8_t *)data.buf + data.len, (size_t)records, (size_t)count,
               columns, (uint8_t)delimiter};
    Py_BEGIN_ALLOW_THREADS
    plain = run(&job);
    Py_END_ALLOW_THREADS
    if (!plain) {
        result = Py_NewRef(Py_None);
        goto done;
    }
    result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        PyObject *missing = PyLong_FromSize_t(columns[i].missing);
        if (missing == NULL || PyTuple_SetItem(result, i, missing) < 0)
            Py_CLEAR(result);
    }
done:
    while (taken-- > 0) {
        PyBuffer_Release(&buffers[2 * taken]);
        PyBuffer_Release(&buffers[2 * taken + 1]);
    }
    PyBuffer_Release(&data);
    return result;
}

PyDoc_STRVAR(read_numbers_doc,
"read_numbers(data, records, columns, delimiter, /)\n--\n\n"
"Read `records` records into `columns`: (real, values, valid) each, to be written to.\n\n"
"Returns the number of missing values in each column, or None where a field is no plain number.");

static PyMethodDef methods[] = {
    {"read_numbers", read_numbers, METH_VARARGS, read_numbers_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "penstock.io.csv._numbers",
    .m_doc = "Numbers of CSV records.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__numbers(void)
{
    return PyModuleDef_Init(&definition);
}
