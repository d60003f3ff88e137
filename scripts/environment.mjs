// Which variables are settings of a daemon or of an extension, so that they can be kept from those that shall have none.

const SETTINGS = /^(EXTENSION_|NATS_|DATABASE_URL$|PG)/;

export const withoutSettings = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !SETTINGS.test(name)));
