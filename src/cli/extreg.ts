#!/usr/bin/env node
// The process of the command `extreg`; what the command does is in main.ts.
//
// EXTREG-1. A reader that goes away (`extreg … | head`) is no failure.
// EXTREG-2. All that was printed has left before the process ends, however slow its reader: a pipe takes 64 KiB at a time.
// EXTREG-3. SIGUSR1 opens no debugger port and SIGUSR2 ends nothing from the first moment on, while modules are still loaded, and in any command.

for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => undefined);
const [{ main }, { processIo }] = await Promise.all([import('./main.js'), import('./process/process-io.js')]);

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
const exitCode = await main(process.argv.slice(2), processIo());
// EXTREG-2; a reader that went away has an answer too.
for (const stream of [process.stdout, process.stderr]) await new Promise((written) => stream.write('', written));
// Handles that a library left open must not keep a finished command alive.
process.exit(exitCode);
