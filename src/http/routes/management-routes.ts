// The routes by which operators manage a running daemon, put together.
import type { RowDesk } from '../../actors/ports/api.js';
import type { ManagementDesk } from '../../actors/ports/management.js';
import type { App } from '../app/app.js';
import { auditRoutes } from './audit-routes.js';
import { daemonRoutes } from './daemon-routes.js';
import { drainRoutes } from './drain-routes.js';
import { invokeRoutes } from './invoke-routes.js';
import { logRoutes } from './log-routes.js';
import { policyRoutes } from './policy-routes.js';
import { replayRoutes } from './replay-routes.js';

export function managementRoutes(app: App, desk: ManagementDesk, rows: RowDesk): void {
  drainRoutes(app, desk.instances);
  auditRoutes(app, desk.audit);
  daemonRoutes(app, desk);
  logRoutes(app, desk.logLevels);
  invokeRoutes(app, desk.invoke);
  policyRoutes(app, rows, desk.policyInForce);
  replayRoutes(app, desk.replay);
}
