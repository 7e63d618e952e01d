// Attack programs whose costs for others are measured: echo latency, memory of services and engine, disk, the machine's memory.
import { costlyAttackTests } from './attack-suite.js';

costlyAttackTests('quick');
