// Configuration: environment variables through one schema into a frozen object; errors name the variable.
import type { Static, TObject, TProperties } from 'typebox';
import { Clean, Convert, Default, Errors } from 'typebox/value';

/** Default of RUNGRID_PREFIX, which keeps apart several installations over one Redis or one engine. */
export const DEFAULT_PREFIX = 'rungrid';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the variables that `schema` names from `env`. Empty means unset; unknown variables are ignored; defaults come from the
 * schema. Throws ConfigError with every fault, one a line, each naming its variable and what it says.
 */
export function readConfig<P extends TProperties>(
  schema: TObject<P>,
  env: NodeJS.ProcessEnv = process.env,
): Readonly<Static<TObject<P>>> {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name in schema.properties && value !== ''),
  );
  const value = Clean(schema, Convert(schema, Default(schema, given)));
  const faults = Errors(schema, value);
  if (faults.length > 0) {
    const lines = faults.map((fault) => {
      const name = fault.instancePath.slice(1).split('/')[0] ?? '';
      const missing = (fault.params as { requiredProperties?: string[] }).requiredProperties?.join(', ');
      return `${name || missing || 'environment'}: ${fault.message}`;
    });
    throw new ConfigError(`Configuration is not usable:\n  ${[...new Set(lines)].join('\n  ')}`);
  }
  return Object.freeze(value as Static<TObject<P>>);
}
