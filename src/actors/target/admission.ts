// Whether a target admits an attempt. Numbers, since every call asks.

/** Positive: the permit. Else why not, one of the values below. */
export type Admission = number;
export const REFUSED_OPEN = -1;
export const REFUSED_HALF_OPEN_FULL = -2;
export const REFUSED_ISOLATED = -3;
export const REFUSED_ACTOR_FAILED = -4;
export const REFUSED_RECOVERING = -5;
