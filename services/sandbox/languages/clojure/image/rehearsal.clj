;; Run once by setup.sh: what most programs load and call goes into the cache of loaded classes.
(require '[clojure.string :as string] 'clojure.set)

(defrecord Point [x y])
(defprotocol Area (area [shape]))
(extend-type Point Area (area [point] (* (:x point) (:y point))))
(defmacro twice [form] `(do ~form ~form))
(defmulti kind :kind)
(defmethod kind :default [_] :none)

(twice (println (string/join ", " (map area [(->Point 1 2) (->Point 3 4)]))))
(printf "%s %d%n" (kind {}) (reduce + (filter even? (range 10))))
(prn (sort-by val (frequencies "hello")) @(atom {:a #{1 2}}) (read-line))
(try (/ 1 0) (catch ArithmeticException e (println (ex-message e))))
(loop [i 0] (when (< i 1000) (recur (inc i))))
@(future (inc 1))
(shutdown-agents)
(throw (ex-info "how most programs fail" {}))
