/* CartPole-v1 as one writes it first in C: an array of structures, one loop, one branch an episode.

   The yardstick of the benchmarks: the same dynamics, observations and autoreset (NEXT_STEP) as
   Gymnasium's CartPole-v1, in NUMBER (double, unless compiled with -DNUMBER=float), with a small
   random generator of its own. It never changes, so that ratios to it can be compared over time. */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <tgmath.h>

#ifndef NUMBER
#define NUMBER double
#endif

typedef struct {
    NUMBER x, x_dot, theta, theta_dot;
    uint64_t random;
    int elapsed;
    bool over;
} CartPole;

static const NUMBER GRAVITY = 9.8, MASSCART = 1.0, MASSPOLE = 0.1, LENGTH = 0.5, FORCE_MAG = 10.0, TAU = 0.02;
static const NUMBER X_THRESHOLD = 2.4, THETA_THRESHOLD = 12 * 2 * 3.14159265358979323846 / 360;
static const int MAX_EPISODE_STEPS = 500;

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static NUMBER uniform(CartPole *env, NUMBER low, NUMBER high) {
    uint64_t z = (env->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return low + (high - low) * (NUMBER)((double)(z >> 11) * 0x1p-53);
}

static void restart(CartPole *env) {
    env->x = uniform(env, -0.05, 0.05);
    env->x_dot = uniform(env, -0.05, 0.05);
    env->theta = uniform(env, -0.05, 0.05);
    env->theta_dot = uniform(env, -0.05, 0.05);
    env->elapsed = 0;
    env->over = false;
}

static bool advance(CartPole *env, int64_t action) {
    NUMBER force = action == 1 ? FORCE_MAG : -FORCE_MAG;
    NUMBER costheta = cos(env->theta), sintheta = sin(env->theta);
    NUMBER total_mass = MASSPOLE + MASSCART, polemass_length = MASSPOLE * LENGTH;
    NUMBER temp = (force + polemass_length * (env->theta_dot * env->theta_dot) * sintheta) / total_mass;
    NUMBER thetaacc = (GRAVITY * sintheta - costheta * temp) /
                      (LENGTH * ((NUMBER)4.0 / (NUMBER)3.0 - MASSPOLE * (costheta * costheta) / total_mass));
    NUMBER xacc = temp - polemass_length * thetaacc * costheta / total_mass;
    env->x += TAU * env->x_dot;
    env->x_dot += TAU * xacc;
    env->theta += TAU * env->theta_dot;
    env->theta_dot += TAU * thetaacc;
    env->elapsed++;
    return env->x < -X_THRESHOLD || env->x > X_THRESHOLD || env->theta < -THETA_THRESHOLD ||
           env->theta > THETA_THRESHOLD;
}

/* Return `rows` environments, each at the start of an episode, or NULL. */
CartPole *cartpole_make(int64_t rows) {
    CartPole *envs = calloc(rows, sizeof(CartPole));
    for (int64_t i = 0; envs && i < rows; i++) {
        envs[i].random = i;
        restart(&envs[i]);
    }
    return envs;
}

void cartpole_free(CartPole *envs) { free(envs); }

/* Step `rows` environments. */
void cartpole_step(CartPole *envs, int64_t rows, const int64_t *actions, float (*observations)[4],
                   double *rewards, bool *terminated, bool *truncated) {
    for (int64_t i = 0; i < rows; i++) {
        CartPole *env = &envs[i];
        if (env->over) {
            restart(env);
            rewards[i] = 0.0;
            terminated[i] = truncated[i] = false;
        } else {
            terminated[i] = advance(env, actions[i]);
            truncated[i] = env->elapsed >= MAX_EPISODE_STEPS;
            rewards[i] = 1.0;
            env->over = terminated[i] || truncated[i];
        }
        observations[i][0] = env->x;
        observations[i][1] = env->x_dot;
        observations[i][2] = env->theta;
        observations[i][3] = env->theta_dot;
    }
}
