// The reference extensions as child processes of a script.
//
// X1. They end with this process however it ends: their standard input closes then.
// X2. One that ends by itself is started again, at once and then with growing pauses.
// X3. They lead groups of their own: a Ctrl-C in the terminal reaches them only through us, after the daemon is done with them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const FIRST_RESTART_MS = 100;
const MAX_RESTART_MS = 5000;
const STEADY_MS = 10_000;
const END_MS = 500;

/**
 * @param {object} examples
 * @param {{ file: string, env: Record<string, string> }[]} examples.services
 * @param {string} examples.directory where the files are
 * @param {NodeJS.ProcessEnv} examples.env
 * @param {import('pino').Logger} examples.log
 */
export function startExamples({ services, directory, env, log }) {
  const children = new Set();
  const timers = new Set();
  let isStopping = false;

  const start = (service, pauseMs) => {
    const startedMs = performance.now();
    const child = spawn(process.execPath, [join(directory, service.file)], {
      env: { ...env, ...service.env, EXTENSION_END_WITH_STDIN: '1' },
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    children.add(child);
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text) => {
      for (const line of text.trim().split('\n')) log.warn({ event: 'example_output', example: service.file, line });
    });
    const again = (reason) => {
      if (!children.delete(child) || isStopping) return;
      const nextMs = performance.now() - startedMs > STEADY_MS ? FIRST_RESTART_MS : pauseMs;
      log.warn({ event: 'example_ended', example: service.file, reason: String(reason), restart_ms: nextMs });
      const timer = setTimeout(() => {
        timers.delete(timer);
        start(service, Math.min(nextMs * 2, MAX_RESTART_MS));
      }, nextMs);
      timers.add(timer);
    };
    child.on('error', (error) => again(error.message));
    child.on('exit', (code, signal) => again(code ?? signal));
  };
  for (const service of services) start(service, FIRST_RESTART_MS);

  return {
    /** Ends them: asked first, killed after half a second. */
    async stop() {
      isStopping = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(
        [...children].map(async (child) => {
          const gone = once(child, 'exit');
          child.stdin.end();
          child.kill('SIGTERM');
          const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
          await gone;
          clearTimeout(timer);
        }),
      );
    },
  };
}
