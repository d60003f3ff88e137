// `/ui/inspect` and `/ui/inspect/<id>@<version>`: the statechart of a target, live.
import type { PageProps } from '../url/paths.js';

export default function InspectPage({ params: { id, version } }: PageProps) {
  return <h1>{id === undefined ? 'Inspect' : `${id}@${version}`}</h1>;
}
