// Starts the Java virtual machine with its sandbox, waits for the program, and becomes it: what `java -jar /tmp/main.jar` does, in two halves.
#define _GNU_SOURCE
#include <jni.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_FD 3
#define WORDS_MAX (1u << 17) // the agent's limit is 65536 bytes
#define ARGUMENTS_MAX 1024
#define JAR "/tmp/main.jar"
#define LAUNCH_JAR 2 // LM_JAR of java.base/share/native/libjli/java.h
#define STACK_BYTES (8u << 20)

static char words[WORDS_MAX];
static const char *arguments[ARGUMENTS_MAX];
static int argument_count;
static int result = 1;

// Classes that every program begins with are loaded and run once, before there is a program.
static void rehearse(JNIEnv *env) {
  jclass url_class = (*env)->FindClass(env, "java/net/URL"), loader_class = (*env)->FindClass(env, "java/net/URLClassLoader");
  jobject url = (*env)->NewObject(env, url_class, (*env)->GetMethodID(env, url_class, "<init>", "(Ljava/lang/String;)V"),
                                  (*env)->NewStringUTF(env, "file:/rungrid/language/compiler.jar"));
  jobjectArray urls = (*env)->NewObjectArray(env, 1, url_class, url);
  // No parent: the program's own loader would look for main.jar, which is not there yet, and never look again.
  jmethodID make = (*env)->GetMethodID(env, loader_class, "<init>", "([Ljava/net/URL;Ljava/lang/ClassLoader;)V");
  jobject loader = (*env)->NewObject(env, loader_class, make, urls, NULL);
  jmethodID load = (*env)->GetMethodID(env, loader_class, "loadClass", "(Ljava/lang/String;)Ljava/lang/Class;");
  jclass rehearsal = (*env)->CallObjectMethod(env, loader, load, (*env)->NewStringUTF(env, "Rehearsal"));
  if (rehearsal != NULL) (*env)->CallStaticVoidMethod(env, rehearsal, (*env)->GetStaticMethodID(env, rehearsal, "run", "()V"));
  if ((*env)->ExceptionCheck(env)) (*env)->ExceptionClear(env);
}

static void say_version(JNIEnv *env) {
  jclass system = (*env)->FindClass(env, "java/lang/System");
  jmethodID get = (*env)->GetStaticMethodID(env, system, "getProperty", "(Ljava/lang/String;)Ljava/lang/String;");
  jstring version = (*env)->CallStaticObjectMethod(env, system, get, (*env)->NewStringUTF(env, "java.version"));
  const char *text = (*env)->GetStringUTFChars(env, version, NULL);
  if (dprintf(CONTROL_FD, "%s\n", text) < 0) _exit(1);
  (*env)->ReleaseStringUTFChars(env, version, text);
}

static void wait_for_start(void) {
  size_t length = 0;
  ssize_t n;
  while (length < sizeof words && (n = read(CONTROL_FD, words + length, sizeof words - length)) > 0) length += (size_t)n;
  (void)close(CONTROL_FD);
  for (char *word = words; word < words + length; word += strlen(word) + 1)
    if (word[0] == 'A' && argument_count < ARGUMENTS_MAX) arguments[argument_count++] = word + 1;
}

// Bytes of a command line are in the machine's encoding, as for java itself.
static jobjectArray java_arguments(JNIEnv *env) {
  jclass string = (*env)->FindClass(env, "java/lang/String");
  jmethodID decode = (*env)->GetMethodID(env, string, "<init>", "([B)V");
  jobjectArray array = (*env)->NewObjectArray(env, argument_count, string, NULL);
  for (int i = 0; i < argument_count; i++) {
    jsize length = (jsize)strlen(arguments[i]);
    jbyteArray bytes = (*env)->NewByteArray(env, length);
    (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte *)arguments[i]);
    (*env)->SetObjectArrayElement(env, array, i, (*env)->NewObject(env, string, decode, bytes));
  }
  return array;
}

static bool flag(JNIEnv *env, jclass helper, const char *name) {
  jfieldID field = (*env)->GetStaticFieldID(env, helper, name, "Z");
  return field != NULL && (*env)->GetStaticBooleanField(env, helper, field);
}

// main in its four forms (JLS 12.1.4); the JDK's own launcher finds out which one it is.
static void run_main(JNIEnv *env, jclass helper, jclass type) {
  bool is_static = flag(env, helper, "isStaticMain"), plain = flag(env, helper, "noArgMain");
  const char *signature = plain ? "()V" : "([Ljava/lang/String;)V";
  jobjectArray array = java_arguments(env);
  if (is_static) {
    jmethodID method = (*env)->GetStaticMethodID(env, type, "main", signature);
    if (method != NULL) (*env)->CallStaticVoidMethod(env, type, method, array);
    return;
  }
  jmethodID constructor = (*env)->GetMethodID(env, type, "<init>", "()V");
  jobject object = constructor == NULL ? NULL : (*env)->NewObject(env, type, constructor);
  if (object == NULL || (*env)->ExceptionCheck(env)) return;
  jmethodID method = (*env)->GetMethodID(env, type, "main", signature);
  if (method != NULL) (*env)->CallVoidMethod(env, object, method, array);
}

static void *start(void *unused) {
  (void)unused;
  char *const flags[] = {"-Djava.class.path=" JAR, "-Dsun.java.command=" JAR, "-Xmx56m", "-Xss512k", "-XX:+UseSerialGC",
                         "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=24m", "-XX:-UsePerfData", "-Xshare:auto"};
  JavaVMOption options[sizeof flags / sizeof *flags];
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) options[i] = (JavaVMOption){flags[i], NULL};
  JavaVMInitArgs given = {JNI_VERSION_10, sizeof flags / sizeof *flags, options, JNI_FALSE};
  JavaVM *vm;
  JNIEnv *env;
  if (JNI_CreateJavaVM(&vm, (void **)&env, &given) != JNI_OK) return NULL;
  jclass helper = (*env)->FindClass(env, "sun/launcher/LauncherHelper");
  jmethodID load = helper == NULL ? NULL
                                  : (*env)->GetStaticMethodID(env, helper, "checkAndLoadMain", "(ZILjava/lang/String;)Ljava/lang/Class;");
  if (load == NULL) return NULL;
  rehearse(env);
  say_version(env);
  wait_for_start();
  jclass type = (*env)->CallStaticObjectMethod(env, helper, load, JNI_TRUE, LAUNCH_JAR, (*env)->NewStringUTF(env, JAR));
  if (type != NULL && !(*env)->ExceptionCheck(env)) run_main(env, helper, type);
  result = type == NULL || (*env)->ExceptionCheck(env) ? 1 : 0;
  // Reports an uncaught exception, waits for the program's other threads, runs its shutdown hooks.
  (*vm)->DetachCurrentThread(vm);
  (*vm)->DestroyJavaVM(vm);
  return NULL;
}

int main(void) {
  // A thread of its own: the first one's stack has no guard that the virtual machine could see.
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK_BYTES) != 0) return 1;
  if (pthread_create(&thread, &attributes, start, NULL) != 0 || pthread_join(thread, NULL) != 0) return 1;
  return result;
}
