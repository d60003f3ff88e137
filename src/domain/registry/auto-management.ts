// What the auto-manager wants to write, as a function of what is: safe to ask again after every change.
//
// AUTO-MANAGEMENT-1. Only an extension that is enabled, and that no operator overrides, is disabled, and only while its breaker is open.
// AUTO-MANAGEMENT-2. Only what was disabled automatically is enabled, and only while its breaker is closed.
// AUTO-MANAGEMENT-3. In half-open nothing is wanted: a re-opening changes no row.
// AUTO-MANAGEMENT-4. Damping: a breaker that tripped within one window of its recovery has to stay closed for a window after the next
//     one before the extension is enabled. So a dependency that flaps makes no rows.
import type { Extension } from './extension.js';

/** The auto-manager's name in the audit trail. The trigger on `enabled` knows it: a write by any other clears `auto_disabled`. */
export const AUTO_MANAGER = 'system:auto-manager';

export interface AutoManagementSettings {
  readonly autoDisableOnCircuitOpen: boolean;
  readonly autoEnableOnCircuitClose: boolean;
}

/** How a breaker's recoveries lasted. */
export interface Recovery {
  /** In a row: each but the last was followed by a trip within a window of it. */
  readonly recoveries: number;
  /** How long it has been closed; only read if it is. */
  readonly closedForMs: number;
  /** Length of its decision window. */
  readonly windowMs: number;
}

/** `damped`: to be enabled, but not yet (AUTO-MANAGEMENT-4): ask again later. null: nothing is wanted. */
export function wantedAutoChange(
  extension: Pick<Extension, 'enabled' | 'autoDisabled' | 'breakerOverride'>,
  state: 'closed' | 'open' | 'half_open',
  recovery: Recovery,
  settings: AutoManagementSettings,
): 'auto_disable' | 'auto_enable' | 'damped' | null {
  if (extension.breakerOverride !== null) return null;
  if (state === 'open' && extension.enabled && settings.autoDisableOnCircuitOpen) return 'auto_disable';
  if (state === 'closed' && extension.autoDisabled && settings.autoEnableOnCircuitClose)
    return isDamped(recovery) ? 'damped' : 'auto_enable';
  return null;
}

const isDamped = ({ recoveries, closedForMs, windowMs }: Recovery): boolean => recoveries > 1 && closedForMs < windowMs;
