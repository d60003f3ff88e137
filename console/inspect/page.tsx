// `/ui/inspect`: what can be inspected; `/ui/inspect/<id>@<version>` and `/ui/inspect/supervisor`: one actor.
import type { PageProps } from '../url/paths.js';
import { Inspector } from './inspector.js';
import { TargetList } from './target-list.js';

export default function InspectPage({ params: { id, version } }: PageProps) {
  if (id !== undefined && version !== undefined)
    return <Inspector key={`${id}@${version}`} selection={{ id, version }} />;
  return <TargetList />;
}
