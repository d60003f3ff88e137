import test from 'ava';
import { familyHeader, histogramLines, labelSet, sampleLine } from '../../src/telemetry/metrics-text.js';
import { observeProcess } from '../../src/telemetry/process-metrics.js';
import { parseMetrics } from './parse-metrics.js';

const number = test.macro<[value: number, text: string]>({
  exec(t, value, text) {
    t.is(sampleLine('a', '', value), `a ${text}\n`);
  },
  title: (_, value) => `sampleLine: ${value} is written as the format wants it`,
});
test(number, 0, '0');
test(number, -1.5, '-1.5');
test(number, 1e21, '1e+21');
test(number, 1e-7, '1e-7');
test(number, Number.NaN, 'NaN');
test(number, Number.POSITIVE_INFINITY, '+Inf');
test(number, Number.NEGATIVE_INFINITY, '-Inf');

test('labelSet: values are escaped; without labels there are no braces', (t) => {
  t.is(labelSet(['a', 'b'], ['x"\\\ny', '']), '{a="x\\"\\\\\\ny",b=""}');
  t.is(labelSet([], []), '');
});

test('familyHeader: a line end in the help does not end the line', (t) => {
  t.is(familyHeader('a', { type: 'gauge', help: 'x\ny\\', labels: [] }), '# HELP a x\\ny\\\\\n# TYPE a gauge\n');
});

test('histogramLines: without labels too, +Inf and count are the total', (t) => {
  const text = histogramLines('h', '', [0.1, 1], [1, 2, 3], 4.5);
  t.is(text, 'h_bucket{le="0.1"} 1\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 4.5\nh_count 3\n');
});

test('observeProcess: CPU, memory and event loop lag of the process', async (t) => {
  const families = parseMetrics(await observeProcess()());
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
    t.true(families.has(name), name);
});
