// One run of a nats-server under its keeper: start it, know its port, end it.
//
// SERVER-PROCESS-1. Nothing of it outlives this process, nor the keeper: when the keeper ends, its process group is killed.
// SERVER-PROCESS-2. If both were killed at the same time, the next start in the same directory ends what they left running.
// SERVER-PROCESS-3. Secrets go into the configuration file, readable by the owner alone, never onto a command line.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const KEEPER = fileURLToPath(new URL('./keeper.js', import.meta.url));
const CONFIG_FILE = 'nats-server.conf';
const START_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 3000;
const POLL_MS = 5;
const MAX_OUTPUT_CHARACTERS = 4000;

interface ServerSpec {
  readonly binary: string;
  /** Holds the configuration and the ports file; created if it is missing. One server per directory. */
  readonly directory: string;
  /** -1: a free one. */
  readonly port: number;
  /** Further lines of the server's configuration. */
  readonly config: string;
}

export class ServerProcess {
  readonly exited: Promise<void>;

  constructor(
    private readonly keeper: ChildProcess,
    /** Of the nats-server itself. */
    readonly pid: number,
    readonly port: number,
    exited: Promise<void>,
  ) {
    this.exited = exited;
  }

  /** Ends it; resolves when it is gone. */
  async stop(): Promise<void> {
    await endKeeper(this.keeper, this.exited);
  }
}

/** SERVER-PROCESS-3. A server that runs reads it again at a SIGHUP. */
export function writeServerConfig({ directory, port, config }: Omit<ServerSpec, 'binary'>): void {
  const configFile = join(resolve(directory), CONFIG_FILE);
  const ports = JSON.stringify(resolve(directory));
  writeFileSync(configFile, `host: "127.0.0.1"\nport: ${port}\nports_file_dir: ${ports}\n${config}\n`, { mode: 0o600 });
  chmodSync(configFile, 0o600);
}

/** Resolves when the server listens; rejects with its last output if it ended before, or did not listen in 10 s. */
export async function startServerProcess(spec: ServerSpec): Promise<ServerProcess> {
  const directory = resolve(spec.directory);
  mkdirSync(directory, { recursive: true });
  const configFile = join(directory, CONFIG_FILE);
  endOrphans(directory, configFile);
  writeServerConfig(spec);
  // A Node option meant for the daemon (an inspector port, a loader) would end the keeper.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const keeper = spawn(process.execPath, [KEEPER, spec.binary, configFile], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env,
  });
  let output = '';
  let pidLine = '';
  let ended = false;
  keeper.stdin?.on('error', () => undefined);
  keeper.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    pidLine += chunk;
  });
  keeper.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    output = (output + chunk).slice(-MAX_OUTPUT_CHARACTERS);
  });
  const exited = new Promise<void>((done) => {
    const end = (): void => {
      ended = true;
      done();
    };
    // SERVER-PROCESS-1. The output is whole at 'close', which comes once no process of the group is left to write to it.
    keeper.once('exit', () => killGroup(keeper));
    keeper.once('close', end).once('error', end);
  });

  const deadline = performance.now() + START_DEADLINE_MS;
  while (!ended && performance.now() < deadline) {
    const pid = Number.parseInt(pidLine, 10);
    const portsFile = join(directory, `nats-server_${pid}.ports`);
    const port = pidLine.includes('\n') ? portIn(portsFile) : null;
    if (port !== null) {
      void exited.then(() => rmSync(portsFile, { force: true }));
      return new ServerProcess(keeper, pid, port, exited);
    }
    await delay(POLL_MS);
  }
  const why = ended ? 'ended at once' : `did not listen within ${START_DEADLINE_MS} ms`;
  await endKeeper(keeper, exited);
  throw new Error(`nats-server ${why}: ${output.trim() || 'no output'}`);
}

/** SERVER-PROCESS-2. A ports file that is still there names a server that was killed, or one whose keeper ended. */
function endOrphans(directory: string, configFile: string): void {
  for (const file of readdirSync(directory)) {
    const pid = Number(/^nats-server_([0-9]+)\.ports$/.exec(file)?.[1]);
    if (!Number.isInteger(pid)) continue;
    const { parent, command } = processOf(pid);
    if (command.includes(configFile)) {
      if (processOf(parent).command.includes(KEEPER)) continue;
      process.kill(pid, 'SIGKILL');
    }
    rmSync(join(directory, file), { force: true });
  }
}

/** Command line '' if there is no such process. */
function processOf(pid: number): { parent: number; command: string } {
  try {
    if (existsSync('/proc/self/stat')) {
      // `<pid> (<name, which may hold anything>) <state> <parent> …`
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { parent: Number(parent), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
    }
    // A minimal Linux has no `ps`; a system without /proc has one.
    const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return { parent: Number.parseInt(line, 10), command: line };
  } catch {
    return { parent: 0, command: '' };
  }
}

/** Port in a ports file; null while it is not there, or not whole. */
function portIn(file: string): number | null {
  try {
    const { nats } = JSON.parse(readFileSync(file, 'utf8')) as { nats?: string[] };
    const port = Number(nats?.[0]?.split(':').at(-1));
    return Number.isInteger(port) && port > 0 ? port : null;
  } catch {
    return null;
  }
}

async function endKeeper(keeper: ChildProcess, exited: Promise<void>): Promise<void> {
  keeper.stdin?.end();
  const timer = setTimeout(() => killGroup(keeper), STOP_DEADLINE_MS);
  await exited;
  clearTimeout(timer);
}

function killGroup(keeper: ChildProcess): void {
  if (keeper.pid === undefined) return;
  try {
    process.kill(-keeper.pid, 'SIGKILL');
  } catch {
    // No process is left in the group.
  }
}
