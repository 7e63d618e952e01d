// The shape of a command: its help and options as data, and the interface of its module.

export interface OptionSpec {
  readonly type: 'string' | 'integer' | 'boolean' | 'list';
  /** Placeholder of the value in help. */
  readonly value?: string;
  readonly help: string;
  /** Range of an integer. Default 0 to 2^31-1. */
  readonly min?: number;
  readonly max?: number;
}

export interface CommandInput {
  readonly positionals: readonly string[];
  readonly options: Options;
}

/** Typed access to the parsed options: the name's type was checked against its OptionSpec. */
export interface Options {
  flag(name: string): boolean;
  text(name: string): string | undefined;
  integer(name: string): number | undefined;
  list(name: string): string[] | undefined;
}

/** What a command's module exports as `command`. The number is the exit code. */
export interface CommandModule {
  run(input: CommandInput): Promise<number>;
}

export interface CommandSpec {
  readonly name: string;
  /** After the name: `FILE [ARGUMENT…]`. */
  readonly usage: string;
  readonly summary: string;
  readonly details: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** How many positionals it takes. */
  readonly positionals: { readonly min: number; readonly max: number };
  /** Passes everything after its name on unparsed, since another tool has its own options. */
  readonly passThrough?: boolean;
  readonly load: () => Promise<CommandModule>;
}
