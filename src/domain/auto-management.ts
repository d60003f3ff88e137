// What the auto-manager wants to write, as a function of what is: safe to ask again after every change.
//
// A1. Only an extension that is on, and that no person overrides, is switched off, and only while its breaker is open.
// A2. Only what was switched off automatically is switched on, and only while its breaker is closed.
// A3. In half-open nothing is wanted: a re-opening changes no row.
import type { Extension } from './extension.js';

/** Who the auto-manager is in the audit trail. */
export const AUTO_MANAGER = 'system:auto-manager';

export interface AutoManagementSettings {
  readonly autoDisableOnCircuitOpen: boolean;
  readonly autoEnableOnCircuitClose: boolean;
}

export function wantedAutoChange(
  extension: Pick<Extension, 'enabled' | 'autoDisabled' | 'breakerOverride'>,
  breakerState: 'closed' | 'open' | 'half_open',
  settings: AutoManagementSettings,
): 'auto_disable' | 'auto_enable' | null {
  if (extension.breakerOverride !== null) return null;
  if (breakerState === 'open' && extension.enabled && settings.autoDisableOnCircuitOpen) return 'auto_disable';
  if (breakerState === 'closed' && extension.autoDisabled && settings.autoEnableOnCircuitClose) return 'auto_enable';
  return null;
}
