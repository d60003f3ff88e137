// `/ui/inspect/supervisor`: the supervisor's own statechart.
import { Inspector } from './inspector.js';

export default function SupervisorPage() {
  return <Inspector selection="supervisor" />;
}
