// Reports of operators on instances, brought to the endpoints of the targets they serve.
//
// INSTANCE-REPORTS-1. `unhealthy` takes an instance out of rotation: with its endpoint, which is tried later, or, if other instances that get
//     calls share its subject, alone (OUTLIER-DETECTOR-7). A report that would leave less than half of a version's endpoints in rotation is refused.
// INSTANCE-REPORTS-2. `healthy` returns it to rotation immediately, whatever was measured; any other status only withdraws a report.
import type { Instance } from '../../domain/registry/extension.js';
import type { Steps } from '../../domain/steps.js';
import type { InstanceReport } from './instance-status.js';
import type { Service } from './service.js';

/** What reports need of an extension's runtime. */
interface Serving {
  readonly services: Iterable<Service>;
  /** Those that the instance serves. */
  servicesOf(instance: Instance): readonly Service[];
}

/** `limited`: INSTANCE-REPORTS-1 may refuse; `onRefused` gets why. */
export function* takingReports(
  reports: readonly InstanceReport[],
  serving: Serving,
  limited: boolean,
  onRefused: (instance: Instance, problem: string) => void,
  nowMs: number,
): Steps<void> {
  for (const report of reports) {
    const problem = takeReport(report, serving.servicesOf(report.instance), limited, nowMs);
    if (problem !== null) onRefused(report.instance, problem);
    yield;
  }
  for (const service of serving.services) {
    reviewWithheld(service, nowMs);
    yield;
  }
}

/** `services`: those that the instance serves; `limited`: INSTANCE-REPORTS-1 may refuse. Returns why it is refused; null: it is in force. */
function takeReport(
  { instance, isMeasured }: InstanceReport,
  services: readonly Service[],
  limited: boolean,
  nowMs: number,
): string | null {
  const { id, subject, healthStatus } = instance;
  let isTaken = true;
  for (const service of services) {
    const { rotation } = service.target;
    if (healthStatus !== 'unhealthy') rotation.withdrawReport(subject, id, healthStatus === 'healthy', nowMs);
    else if (!isMeasured && takingCalls(service, subject).some((other) => other.id !== id))
      rotation.withhold(subject, id, nowMs);
    else if (!rotation.reportUnhealthy(subject, limited, nowMs)) isTaken = false;
  }
  return isTaken
    ? null
    : "health_status must leave at least half of a version's instances in rotation, got 'unhealthy': what is measured replaces it";
}

/**
 * After a change of the instances: releases withheld ones that were removed or moved to another subject. If no other instance of
 * the subject takes calls any more, the endpoint is reported as a whole.
 */
function reviewWithheld(service: Service, nowMs: number): void {
  const { rotation } = service.target;
  for (const endpoint of [...rotation.withholding]) {
    const { subject, withheld } = endpoint;
    const isLeft = takingCalls(service, subject).length > 0;
    for (const id of [...withheld]) {
      const isThere = service.instances.some((instance) => instance.id === id && instance.subject === subject);
      if (isThere && isLeft) continue;
      rotation.release(endpoint, id);
      if (isThere) rotation.reportUnhealthy(subject, false, nowMs);
    }
  }
}

/** The instances of a subject that calls may go to. */
const takingCalls = ({ instances, target }: Service, subject: string): Instance[] =>
  instances.filter(
    (instance) =>
      instance.subject === subject &&
      instance.enabled &&
      instance.weight > 0 &&
      !target.rotation.at(subject).withheld.has(instance.id),
  );
