// mask_pii (post): replaces personal data in the payload by its kind in brackets, and counts it in metadata.pii_masked.
import { serveExtension } from './extension.mjs';
import { maskPiiIn } from './pii.mjs';

/** @param {import('./envelope.mjs').Envelope} envelope */
function handle({ payload, metadata }) {
  const { masked, count } = maskPiiIn(payload);
  return { payload: masked, metadata: { ...metadata, pii_masked: count } };
}

await serveExtension({
  name: 'mask_pii',
  version: '1.0.0',
  description: 'Masks personal data',
  subject: 'beamline.ext.post.mask_pii.v1',
  handle,
});
