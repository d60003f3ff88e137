// The statechart of one version of an extension.

interface ChartProps {
  readonly id: string;
  readonly version: string;
}

export default function Chart({ id, version }: ChartProps) {
  return (
    <p>
      The breaker of {id}@{version}.
    </p>
  );
}
