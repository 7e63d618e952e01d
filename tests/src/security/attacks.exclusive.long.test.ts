// The same of the programs that take their whole time limit.
import { costlyAttackTests } from './attack-suite.js';

costlyAttackTests('slow');
