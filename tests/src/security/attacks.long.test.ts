// The attack programs that take their whole time limit.
import { attackTests } from './attack-suite.js';

attackTests('slow');
