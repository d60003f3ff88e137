// The answers of a drain and an undrain.
import { Type } from '#typebox';

const WAS = Type.Integer({ description: 'The weight before; the same as now if nothing was written.' });
const OF_THE_ROW = {
  revision: Type.Integer({ description: 'Of the row.' }),
  in_force: Type.Boolean({ description: 'This daemon works by this weight.' }),
};

export const drainedSchema = Type.Object({
  weight: Type.Integer(),
  was: WAS,
  in_flight: Type.Integer({ description: "Attempts of this daemon in flight to the instance's subject." }),
  ...OF_THE_ROW,
});

export const undrainedSchema = Type.Object({ weight: Type.Integer(), was: WAS, ...OF_THE_ROW });
