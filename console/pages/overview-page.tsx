// `/`: what is wrong, and all extensions.
export default function OverviewPage() {
  return <h1>Extensions</h1>;
}
