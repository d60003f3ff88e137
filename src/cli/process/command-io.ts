// Everything a command takes from its environment: the process's own (process-io.ts), or what an embedding program passes in.
import type { Readable, Writable } from 'node:stream';
import type { StopSignals } from './signals.js';

type Terminal = { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

export interface CommandIo {
  readonly stdin: Readable & Pick<Terminal, 'isTTY'> & { readonly setRawMode?: (on: boolean) => unknown };
  readonly stdout: Writable & Terminal;
  readonly stderr: Writable & Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute; relative paths of arguments and settings start here. */
  readonly cwd: string;
  /** Of Node, such as `v20.19.0`. */
  readonly nodeVersion: string;
  /** Name of the user in the audit trail. */
  readonly userName: () => string;
  /** What `serve` needs in addition; null: the command shares its process with other work, and `serve` is refused. */
  readonly ownProcess: OwnProcess | null;
}

/** A process that does nothing but run this one command. */
interface OwnProcess {
  /** Descriptor of standard output, where the log is written without waiting for its reader. */
  readonly stdoutFd: number;
  /** Takes the signals of the process until it ends. */
  readonly stopOnSignals: (options: StopSignals) => void;
  /**
   * From now on V8 compiles WebAssembly once, fast, and optimises none of it: for a command that opens the embedded database
   * itself, and ends before the optimised code has paid for its compilation. For the whole process, so never in a daemon.
   */
  readonly dropWasmOptimizer: () => void;
  /**
   * Calls `restore` when the process ends in any way that it can notice, and `stop` on a signal that asks it to end. Returns what
   * takes both back.
   */
  readonly whenEnding: (restore: () => void, stop: () => void) => () => void;
  /** Ends the process with that exit code; kills it if `flush` resolves with false. */
  readonly endProcess: (code: number, flush: () => Promise<boolean>) => Promise<never>;
}
