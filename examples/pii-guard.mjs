// pii_guard (validator): rejects a payload that holds personal data; says which kinds and how many, never what it found.
import { serveExtension } from './extension.mjs';
import { findPiiIn } from './pii.mjs';

/** @param {import('./envelope.mjs').Envelope} envelope */
function handle({ payload }) {
  const found = findPiiIn(payload);
  if (found.size === 0) return { status: 'ok' };
  const kinds = Object.fromEntries([...found].sort(([a], [b]) => a.localeCompare(b)));
  return { status: 'reject', reason: 'pii_detected', details: { kinds } };
}

await serveExtension({
  name: 'pii_guard',
  version: '1.0.0',
  description: 'Rejects payloads that hold personal data',
  subject: 'beamline.ext.validate.pii_guard.v1',
  handle,
});
