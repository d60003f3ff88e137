// A separate process that holds the embedded nats-server: node keeper.js <binary> <config file>.
// It is started detached, so a Ctrl-C in the terminal reaches neither it nor the server before the daemon has drained.
//
// KEEPER-1. The server ends when the keeper's standard input ends, which the daemon's death brings about however it dies.
// KEEPER-2. The keeper ends when the server ends, with the server's exit code.
// KEEPER-3. Its first line of output is the server's process id.
import { spawn } from 'node:child_process';

const KILL_AFTER_MS = 1000;

const [binary, configFile] = process.argv.slice(2);
if (binary === undefined || configFile === undefined) process.exit(64);

const server = spawn(binary, ['--config', configFile], { stdio: ['ignore', 'ignore', 'inherit'] });

function stop(): void {
  server.kill('SIGTERM');
  setTimeout(() => server.kill('SIGKILL'), KILL_AFTER_MS).unref();
}

server.on('spawn', () => process.stdout.write(`${server.pid}\n`));
server.on('error', () => process.exit(69));
server.on('exit', (code) => process.exit(code ?? 1));
// The daemon may be gone already when a line is written.
process.stdout.on('error', () => undefined);
process.stdin.on('end', stop).on('close', stop).on('error', stop).resume();
process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', stop).on('SIGQUIT', stop);
// Node would open a debugger port, or end.
process.on('SIGUSR1', () => undefined).on('SIGUSR2', () => undefined);
