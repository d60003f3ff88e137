// The names of all tables of the schema.
import { getTableName, is } from '#drizzle-orm';
import { PgTable } from '#drizzle-orm/pg-core';
import * as schema from './schema.js';

export const TABLE_NAMES: readonly string[] = Object.values<unknown>(schema)
  .filter((one) => is(one, PgTable))
  .map(getTableName);
