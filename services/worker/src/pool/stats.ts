// What the pool says about itself, for metrics.

export interface LanguageStats {
  readonly language: string;
  readonly floor: number;
  readonly warm: number;
  readonly starting: number;
  readonly waiting: number;
}

export interface PoolStats {
  readonly languages: readonly LanguageStats[];
  readonly warm: number;
  readonly starting: number;
  readonly live: number;
  readonly destroying: number;
  readonly ceiling: number;
}
