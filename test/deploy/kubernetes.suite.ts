// deploy/kubernetes: its objects fit the schemas of Kubernetes, each other, and the code.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'ava';
import { parse, parseAllDocuments } from '#yaml';
import { loadConfig } from '../../src/config/config.js';
import { envName, SETTING_KEYS, type SettingKey, settingOf } from '../../src/config/schema.js';
import type { App } from '../../src/http/app/app.js';
import { probeRoutes } from '../../src/http/routes/probe-routes.js';

const FOLDER = 'deploy/kubernetes';
const NAME = 'extension-registry';
const require = createRequire(import.meta.url);

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly envFrom: readonly { readonly secretRef: { readonly name: string } }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: object;
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // Its schema says what is in it.
  // biome-ignore lint/suspicious/noExplicitAny: one of five kinds
  readonly spec: any;
  readonly data: Readonly<Record<string, string>>;
  readonly stringData: Readonly<Record<string, string>>;
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
const manifests = files.flatMap((name) =>
  parseAllDocuments(readFileSync(`${FOLDER}/${name}`, 'utf8')).map((document) => document.toJS() as Manifest),
);
const one = (kind: string): Manifest => {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return found[0];
};
const pod = one('Deployment').spec.template.spec;
const container = pod.containers[0] as Container;
const labels = { 'app.kubernetes.io/name': NAME };

/** Throws what the schema of its kind has against it. */
function validate({ apiVersion, kind, ...rest }: Manifest): void {
  const kinds = require(`kubernetes-models/${apiVersion}/${kind}`) as Record<
    string,
    new (
      data: object,
    ) => { validate(): void }
  >;
  const Kind = kinds[kind];
  if (Kind === undefined) throw new Error(`${apiVersion} has no ${kind}`);
  new Kind(rest).validate();
}

test('deploy/kubernetes: each object fits the schema of its kind, which refuses a wrong one', (t) => {
  t.deepEqual(manifests.map(({ kind }) => kind).sort(), [
    ...['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'Secret', 'Service'],
  ]);
  for (const manifest of manifests) t.notThrows(() => validate(manifest), manifest.kind);
  const deployment = one('Deployment');
  for (const spec of [
    { ...deployment.spec, replicas: 'two' },
    { ...deployment.spec, template: { spec: { containers: [{ image: 'x' }] } } },
    { ...deployment.spec, selector: undefined },
  ])
    t.throws(() => validate({ ...deployment, spec }));
});

test('deploy/kubernetes: objects find each other', (t) => {
  const { spec } = one('Deployment');
  t.deepEqual(spec.selector.matchLabels, labels);
  t.deepEqual(spec.template.metadata.labels, labels);
  t.deepEqual(one('Service').spec.selector, labels);
  t.deepEqual(one('PodDisruptionBudget').spec.selector.matchLabels, labels);
  t.true(one('PodDisruptionBudget').spec.minAvailable < spec.replicas);
  for (const { metadata } of manifests) t.is(metadata.name, NAME);
  t.deepEqual(container.envFrom, [{ secretRef: { name: NAME } }]);
  const volumes = pod.volumes.map(({ name }: { name: string }) => name);
  t.deepEqual(
    container.volumeMounts.map(({ name }) => name),
    volumes,
  );
});

test('deploy/kubernetes: ports, settings and times are those of the code', (t) => {
  const [[fileName = '', text = ''] = []] = Object.entries(one('ConfigMap').data);
  const { extension_registry: flags } = parse(text) as { extension_registry: Record<string, unknown> };
  // Names that Kubernetes puts in.
  const hosts = container.env
    .find(({ name }) => name === envName('http_hosts'))
    ?.value?.replace('$(POD_IP)', '10.0.0.1');
  const env = { ...one('Secret').stringData, [envName('http_hosts')]: hosts };
  const config = loadConfig({ flags, env, cwd: '/nonexistent' });
  t.deepEqual(config.http_hosts, [NAME, '10.0.0.1']);
  t.not(config.database_url, null);
  t.not(config.nats_url, null);
  t.deepEqual(container.ports, [{ name: 'http', containerPort: config.http_port }]);
  t.deepEqual(one('Service').spec.ports, [{ name: 'http', port: config.http_port, targetPort: 'http' }]);
  // STOP_GRACE_MS of serve.ts.
  t.true(pod.terminationGracePeriodSeconds > config.shutdown_timeout_seconds + 5);
  const known = new Set(SETTING_KEYS.flatMap((key: SettingKey) => [envName(key), settingOf(key).env ?? envName(key)]));
  const variables = [...container.env.map(({ name }) => name), ...Object.keys(one('Secret').stringData)];
  t.deepEqual(
    variables.filter((name) => !known.has(name)),
    [envName('config'), 'POD_IP'],
  );
  const mounts = Object.fromEntries(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
  t.is(mounts.data, config.data_dir);
  t.is(container.env.find(({ name }) => name === envName('config'))?.value, `${mounts.config}/${fileName}`);
});

test('deploy/kubernetes: its probes are routes of the daemon, and /readyz is not what restarts it', async (t) => {
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
  for (const { httpGet } of probes) t.is(httpGet.port, 'http');
  const codes = await Promise.all(probes.map(({ httpGet }) => codeOfUnready(httpGet.path)));
  t.deepEqual(codes, [200, 200, 503]);
});

/** Of a daemon that waits for NATS. */
async function codeOfUnready(path: string): Promise<number> {
  const codes: number[] = [];
  const reply = { code: (given: number) => codes.push(given) };
  const routes = new Map<string, (request: null, to: typeof reply) => Promise<unknown>>();
  const app = { get: (name: string, _: object, handler: () => Promise<unknown>) => void routes.set(name, handler) };
  const unready = { ready: false, waiting_for: ['nats'], reasons: [], degraded: [] };
  probeRoutes(app as unknown as App, () => unready);
  const handler = routes.get(path);
  if (handler === undefined) return 404;
  await handler(null, reply);
  return codes.at(-1) ?? 200;
}

test('deploy/kubernetes: the daemon is no root, and writes where a volume is', (t) => {
  t.like(pod.securityContext, { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } });
  t.like(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
  t.false(pod.automountServiceAccountToken);
});
