import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { loadConfig } from '../../src/config/config.js';

const { mayShowExamples } = (await import(pathToFileURL(resolve('scripts/reference-extensions.mjs')).href)) as {
  mayShowExamples(config: unknown): boolean;
};

const shows = test.macro({
  exec(t, env: Record<string, string>, expected: boolean) {
    t.is(mayShowExamples(loadConfig({ flags: {}, env, cwd: resolve('scripts') })), expected);
  },
  title: (_, env, expected) => `reference extensions are ${expected ? '' : 'not '}shown with ${JSON.stringify(env)}`,
});

test(shows, {}, true);
test(shows, { NATS_URL: 'nats://127.0.0.1:4222' }, true);
test(shows, { NATS_URL: 'nats://user:pass@localhost:4222, nats://[::1]:4223' }, true);
test(shows, { NATS_URL: 'nats://nats.example:4222' }, false);
test(shows, { NATS_URL: 'nats://localhost:4222,nats://nats.example:4222' }, false);
test(shows, { NATS_URL: 'nats://localhost.example:4222' }, false);
test(shows, { DATABASE_URL: 'postgres://u@127.0.0.1/db' }, false);
test(shows, { EXTENSION_REGISTRY_DB_HOST: '127.0.0.1' }, false);
