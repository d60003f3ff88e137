// The routes by which operators manage a running daemon, put together.
import type { ManagementDesk } from '../../actors/ports/management.js';
import type { App } from '../app/app.js';
import { drainRoutes } from './drain-routes.js';

export function managementRoutes(app: App, desk: ManagementDesk): void {
  drainRoutes(app, desk.instances);
}
