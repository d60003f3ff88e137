// Which lines are written: a level for all components, others for single ones, changed while the daemon runs.
//
// LOG-CONTROL-1. A level holds for every logger of its component, also for those that are made later.
// LOG-CONTROL-2. A level that is set for a time ends by itself; what the configuration says is in force again then, and `reverting` hears of it.
import type { LogLevelsShown } from '../domain/status-schema.js';
import type { Timers } from './deadline.js';
import type { Logger } from './log.js';
import { LOG_COMPONENTS, type LogComponent, type LogLevel } from './log-levels.js';

/** As the settings have them. */
export interface ConfiguredLevels {
  readonly level: LogLevel;
  /** `<component>=<level>` each. */
  readonly components: readonly string[];
}

export interface LogLevelOrder {
  /** null: all components for which no other level is set. */
  readonly component: LogComponent | null;
  /** null: what the configuration says. */
  readonly level: LogLevel | null;
  /** null: until it is changed again, or the daemon ends. */
  readonly seconds: number | null;
}

interface Change {
  readonly level: LogLevel;
  /** Epoch milliseconds; null: for good. */
  readonly untilMs: number | null;
  readonly timer: unknown;
}

interface WallTimers extends Timers {
  /** Epoch milliseconds. */
  readonly wall: () => number;
}

const PROCESS: WallTimers = {
  // Nothing waits for it.
  setTimeout: (fn, ms) => setTimeout(fn, ms).unref(),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  wall: Date.now,
};

export class LogControl {
  #configured: ConfiguredLevels;
  readonly #loggers = new Map<LogComponent, Logger[]>(LOG_COMPONENTS.map((component) => [component, []]));
  /** `null`: of all. */
  readonly #changes = new Map<LogComponent | null, Change>();

  /** `reverting`: the time is over for a component, null: for all. It calls `revert`. */
  constructor(
    configured: ConfiguredLevels,
    private readonly timers: WallTimers = PROCESS,
    private readonly reverting: (component: LogComponent | null, revert: () => void) => void = (_, revert) => revert(),
  ) {
    this.#configured = configured;
  }

  /** LOG-CONTROL-1. For the logger of the process and each that is made of it. */
  readonly attach = (logger: Logger): void => {
    const named = (logger.bindings() as { component?: string }).component ?? 'daemon';
    const component = LOG_COMPONENTS.find((one) => one === named) ?? 'daemon';
    this.#loggers.get(component)?.push(logger);
    logger.level = this.#levelOf(component);
  };

  set({ component, level, seconds }: LogLevelOrder): void {
    const before = this.#changes.get(component);
    if (before?.timer != null) this.timers.clearTimeout(before.timer);
    this.#changes.delete(component);
    if (level !== null) {
      const ms = seconds === null ? null : seconds * 1000;
      // LOG-CONTROL-2.
      const timer = ms === null ? null : this.timers.setTimeout(() => this.#revert(component), ms);
      this.#changes.set(component, { level, untilMs: ms === null ? null : this.timers.wall() + ms, timer });
    }
    this.#apply();
  }

  #revert(component: LogComponent | null): void {
    this.reverting(component, () => this.set({ ...ALL, component }));
  }

  /** What the configuration says now. What was set while the daemon runs stays. */
  configure(configured: ConfiguredLevels): void {
    this.#configured = configured;
    this.#apply();
  }

  read(): LogLevelsShown {
    return {
      level: this.#levelOfAll(),
      components: LOG_COMPONENTS.map((component) => ({
        component,
        level: this.#levelOf(component),
        from: this.#own(component) === null ? 'all' : 'component',
      })),
      changed: [...this.#changes].map(([component, { untilMs }]) => ({
        component,
        until: untilMs === null ? null : new Date(untilMs).toISOString(),
      })),
    };
  }

  #levelOfAll(): LogLevel {
    return this.#changes.get(null)?.level ?? this.#configured.level;
  }

  #levelOf(component: LogComponent): LogLevel {
    return this.#own(component) ?? this.#levelOfAll();
  }

  #own(component: LogComponent): LogLevel | null {
    const configured = this.#configured.components.find((one) => one.startsWith(`${component}=`));
    return this.#changes.get(component)?.level ?? (configured?.slice(component.length + 1) as LogLevel) ?? null;
  }

  #apply(): void {
    for (const [component, loggers] of this.#loggers)
      for (const logger of loggers) logger.level = this.#levelOf(component);
  }
}

const ALL: LogLevelOrder = { component: null, level: null, seconds: null };
