// The core of the daemon with an inspection hub beside it, on a simulated clock, and viewers that keep what they get.
import { InspectionHub } from '../../src/inspector/hub.js';
import type { Viewer } from '../../src/inspector/subscriber.js';
import { type Logger, silentLogger } from '../../src/telemetry/log.js';
import { ActorWorld } from '../helpers/actor-world.js';
import { breakerSettings } from '../helpers/breaker-settings.js';

/** A frame as it came, parsed: of the format, or a control frame. */
export interface Frame {
  readonly type?: string;
  readonly control?: string;
  readonly name?: string;
  readonly definition?: string;
  readonly sessionId?: string;
  readonly sourceId?: string;
  readonly createdAt?: string;
  readonly event?: { readonly type: string; readonly [field: string]: unknown };
  readonly snapshot?: {
    readonly status: string;
    readonly value: unknown;
    readonly error?: string;
    readonly context: Readonly<Record<string, unknown>>;
  };
  readonly targets?: readonly string[];
  readonly left_out?: number;
  readonly target?: string;
  readonly events?: number;
  readonly snapshots?: number;
}

export class TestViewer implements Viewer {
  readonly frames: Frame[] = [];
  readonly closed: { readonly code: number; readonly reason: string }[] = [];
  bufferedBytes = 0;
  left: () => void = () => undefined;

  send(frame: string): void {
    this.frames.push(JSON.parse(frame) as Frame);
  }

  close(code: number, reason: string): void {
    this.closed.push({ code, reason });
  }

  /** The frames since the last time they were taken. */
  taken(): Frame[] {
    return this.frames.splice(0);
  }
}

export class InspectedWorld extends ActorWorld {
  readonly hub: InspectionHub;

  constructor(log: Logger = silentLogger) {
    super();
    const { clock } = this;
    this.hub = new InspectionHub({
      source: this.core.inspection,
      clock,
      wall: () => 1_700_000_000_000 + clock.now(),
      boot: 'boot',
      log,
    });
  }

  /** With control frames, unless the query says otherwise. */
  view(query: string, control = '&control=true'): TestViewer {
    const viewer = new TestViewer();
    viewer.left = this.hub.open(new URLSearchParams(query + control), viewer);
    return viewer;
  }

  /** Calls that end at once: 0 is a success, 500 a failure. */
  calls(id: string, times: number, code = 0): void {
    for (let i = 0; i < times; i++) this.callEnding(id, code);
  }

  /** A bug in the actor of the extension's default version. */
  crash(id: string): void {
    const target = this.core.supervisor.runtimes.get(id)?.defaultService?.target;
    if (target === undefined) throw new Error(`no extension ${id}`);
    const settings = breakerSettings();
    let crashes = 1;
    const broken = {
      ...settings,
      get window_seconds(): number {
        if (crashes-- > 0) throw new Error('a bug');
        return settings.window_seconds;
      },
    };
    target.setSettings(broken, 1000, this.clock.now());
    target.setSettings(settings, 1000, this.clock.now());
  }
}

/** In short: `event attempt.failed`, `snapshot {"closed":"steady"}`, `watching a@v1`. */
export const told = (frames: readonly Frame[]): string[] =>
  frames.map((frame) => {
    if (frame.control === 'watching') return `watching ${frame.targets?.join(' ')}`;
    if (frame.control !== undefined) return `${frame.control} ${frame.target} ${frame.events} ${frame.snapshots}`;
    const kind = frame.type?.replace('@xstate.', '');
    if (kind === 'event') return `event ${frame.event?.type}`;
    const { status, value } = frame.snapshot ?? {};
    const state = typeof value === 'string' ? value : JSON.stringify(value);
    return `${kind} ${state}${status === 'active' ? '' : ` ${status}`}`;
  });
