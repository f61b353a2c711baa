"""CartPole and Pendulum stepped by a loop over rows, written by hand.

The arithmetic is the original's, operation by operation, so that every bit agrees. Each row has a NumPy
bit generator of its own, whose C interface is called when an episode starts.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport cos, copysign, fmod, sin
from libc.stdint cimport int32_t, int64_t, uintptr_t
from numpy.random cimport bitgen_t

import numpy as np

cdef extern from *:
    """
    #include <cmath>
    // A compiler turns pow(x, 2) into x * x, which differs from what the C library returns in the last
    // bit once in a thousand. A volatile pointer keeps the call.
    static double (*volatile libm_pow)(double, double) = std::pow;
    static float (*volatile libm_powf)(float, float) = std::pow;
    """
    double libm_pow(double x, double y) nogil
    float libm_powf(float x, float y) nogil

cdef double PI = np.pi


cdef class Rows:
    """Streams, time limit and flags of N environments."""

    cdef readonly Py_ssize_t num_envs
    cdef readonly int time_limit
    cdef list generators
    cdef uintptr_t[::1] streams
    cdef int32_t[::1] elapsed
    cdef unsigned char[::1] over

    def __init__(self, Py_ssize_t num_envs, int time_limit):
        self.num_envs = num_envs
        self.time_limit = time_limit
        self.streams = np.zeros(num_envs, np.uintp)
        self.elapsed = np.zeros(num_envs, np.int32)
        self.over = np.zeros(num_envs, np.bool_)

    def reset(self, *, seed):
        """Start an episode in each row, row k with the seed `seed + k`."""
        cdef Py_ssize_t i
        self.generators = [np.random.PCG64(seed + k) for k in range(self.num_envs)]
        for i in range(self.num_envs):
            self.streams[i] = <uintptr_t> PyCapsule_GetPointer(
                self.generators[i].capsule, "BitGenerator")
        return self.start_all(), {}

    cdef inline double uniform(self, Py_ssize_t i, double low, double high) noexcept nogil:
        cdef bitgen_t* stream = <bitgen_t*> self.streams[i]
        return low + (high - low) * stream.next_double(stream.state)

    cdef inline bint count_step(self, Py_ssize_t i, bint terminated) noexcept nogil:
        """Count a step of row i; tell whether the time limit ends its episode."""
        self.elapsed[i] += 1
        cdef bint truncated = self.elapsed[i] >= self.time_limit
        self.over[i] = terminated or truncated
        return truncated

    def close(self):
        """Nothing to let go."""


cdef class CartPole(Rows):
    """CartPole-v1."""

    cdef double[::1] x, x_dot, theta, theta_dot
    cdef double gravity, masscart, masspole, total_mass, length, polemass_length, force_mag, tau
    cdef double theta_threshold_radians, x_threshold

    def __init__(self, num_envs, time_limit):
        super().__init__(num_envs, time_limit)
        self.x, self.x_dot, self.theta, self.theta_dot = np.zeros((4, num_envs))
        self.gravity = 9.8
        self.masscart = 1.0
        self.masspole = 0.1
        self.total_mass = self.masspole + self.masscart
        self.length = 0.5
        self.polemass_length = self.masspole * self.length
        self.force_mag = 10.0
        self.tau = 0.02
        self.theta_threshold_radians = 12 * 2 * PI / 360
        self.x_threshold = 2.4

    cdef inline void start(self, Py_ssize_t i) noexcept nogil:
        self.x[i] = self.uniform(i, -0.05, 0.05)
        self.x_dot[i] = self.uniform(i, -0.05, 0.05)
        self.theta[i] = self.uniform(i, -0.05, 0.05)
        self.theta_dot[i] = self.uniform(i, -0.05, 0.05)
        self.elapsed[i] = 0
        self.over[i] = False

    cdef inline bint advance(self, Py_ssize_t i, int64_t action) noexcept nogil:
        cdef double x = self.x[i], x_dot = self.x_dot[i]
        cdef double theta = self.theta[i], theta_dot = self.theta_dot[i]
        cdef double force = self.force_mag if action == 1 else -self.force_mag
        cdef double costheta = cos(theta), sintheta = sin(theta)
        cdef double temp, thetaacc, xacc

        temp = (
            force + self.polemass_length * (theta_dot * theta_dot) * sintheta
        ) / self.total_mass
        thetaacc = (self.gravity * sintheta - costheta * temp) / (
            self.length * (4.0 / 3.0 - self.masspole * (costheta * costheta) / self.total_mass)
        )
        xacc = temp - self.polemass_length * thetaacc * costheta / self.total_mass

        x = x + self.tau * x_dot
        x_dot = x_dot + self.tau * xacc
        theta = theta + self.tau * theta_dot
        theta_dot = theta_dot + self.tau * thetaacc
        self.x[i] = x
        self.x_dot[i] = x_dot
        self.theta[i] = theta
        self.theta_dot[i] = theta_dot
        return (
            x < -self.x_threshold
            or x > self.x_threshold
            or theta < -self.theta_threshold_radians
            or theta > self.theta_threshold_radians
        )

    cdef inline void observe(self, Py_ssize_t i, float[:, ::1] out) noexcept nogil:
        out[i, 0] = <float> self.x[i]
        out[i, 1] = <float> self.x_dot[i]
        out[i, 2] = <float> self.theta[i]
        out[i, 3] = <float> self.theta_dot[i]

    def start_all(self):
        """Start an episode in every row; return the observations."""
        observations = np.empty((self.num_envs, 4), np.float32)
        cdef float[:, ::1] observation = observations
        cdef Py_ssize_t i
        for i in range(self.num_envs):
            self.start(i)
            self.observe(i, observation)
        return observations

    def step(self, const int64_t[::1] action):
        """Step all rows; raises ValueError if an action is neither 0 nor 1."""
        cdef Py_ssize_t i, bad = 0
        if action.shape[0] != self.num_envs:
            raise ValueError(f"there are {action.shape[0]} actions for {self.num_envs} rows")
        for i in range(self.num_envs):
            bad += action[i] < 0 or action[i] > 1
        if bad:
            raise ValueError(f"{bad} of {self.num_envs} actions are neither 0 nor 1")
        observations = np.empty((self.num_envs, 4), np.float32)
        rewards = np.empty(self.num_envs)
        terminations = np.empty(self.num_envs, np.bool_)
        truncations = np.empty(self.num_envs, np.bool_)
        cdef float[:, ::1] observation = observations
        cdef double[::1] reward = rewards
        cdef unsigned char[::1] terminated = terminations
        cdef unsigned char[::1] truncated = truncations
        with nogil:
            for i in range(self.num_envs):
                if self.over[i]:
                    self.start(i)
                    reward[i] = 0.0
                    terminated[i] = False
                    truncated[i] = False
                else:
                    terminated[i] = self.advance(i, action[i])
                    truncated[i] = self.count_step(i, terminated[i])
                    reward[i] = 1.0
                self.observe(i, observation)
        return observations, rewards, terminations, truncations, {}


cdef class Pendulum(Rows):
    """Pendulum-v1."""

    cdef double[::1] theta, theta_dot
    cdef double max_speed, max_torque, dt, g, m, l
    cdef float drive_of_torque

    def __init__(self, num_envs, time_limit):
        super().__init__(num_envs, time_limit)
        self.theta, self.theta_dot = np.zeros((2, num_envs))
        self.max_speed = 8.0
        self.max_torque = 2.0
        self.dt = 0.05
        self.g = 10.0
        self.m = 1.0
        self.l = 1.0
        self.drive_of_torque = <float> (3.0 / (self.m * libm_pow(self.l, 2.0)))

    cdef inline void start(self, Py_ssize_t i) noexcept nogil:
        self.theta[i] = self.uniform(i, -PI, PI)
        self.theta_dot[i] = self.uniform(i, -1.0, 1.0)
        self.elapsed[i] = 0
        self.over[i] = False

    cdef inline double advance(self, Py_ssize_t i, float torque) noexcept nogil:
        cdef double theta = self.theta[i], theta_dot = self.theta_dot[i]
        cdef double cost, gravity
        cdef float drive

        cost = libm_pow(wrap_angle(theta), 2.0) + 0.1 * libm_pow(theta_dot, 2.0)
        cost = cost + (<float> 0.001) * libm_powf(torque, 2.0)

        gravity = 3 * self.g / (2 * self.l) * sin(theta)
        drive = self.drive_of_torque * torque
        theta_dot = theta_dot + (gravity + drive) * self.dt
        theta_dot = min(max(theta_dot, -self.max_speed), self.max_speed)
        self.theta[i] = theta + theta_dot * self.dt
        self.theta_dot[i] = theta_dot
        return -cost

    cdef inline void observe(self, Py_ssize_t i, float[:, ::1] out) noexcept nogil:
        out[i, 0] = <float> cos(self.theta[i])
        out[i, 1] = <float> sin(self.theta[i])
        out[i, 2] = <float> self.theta_dot[i]

    def start_all(self):
        """Start an episode in every row; return the observations."""
        observations = np.empty((self.num_envs, 3), np.float32)
        cdef float[:, ::1] observation = observations
        cdef Py_ssize_t i
        for i in range(self.num_envs):
            self.start(i)
            self.observe(i, observation)
        return observations

    def step(self, const float[:, ::1] action):
        """Step all rows; raises ValueError if an action is not in [-max_torque, max_torque]."""
        cdef Py_ssize_t i, bad = 0
        if action.shape[0] != self.num_envs or action.shape[1] != 1:
            raise ValueError(f"expected actions of shape ({self.num_envs}, 1)")
        for i in range(self.num_envs):
            bad += not (action[i, 0] >= -self.max_torque and action[i, 0] <= self.max_torque)
        if bad:
            raise ValueError(
                f"{bad} of {self.num_envs} actions are not in [-{self.max_torque}, {self.max_torque}]")
        observations = np.empty((self.num_envs, 3), np.float32)
        rewards = np.empty(self.num_envs)
        terminations = np.zeros(self.num_envs, np.bool_)
        truncations = np.empty(self.num_envs, np.bool_)
        cdef float[:, ::1] observation = observations
        cdef double[::1] reward = rewards
        cdef unsigned char[::1] truncated = truncations
        with nogil:
            for i in range(self.num_envs):
                if self.over[i]:
                    self.start(i)
                    reward[i] = 0.0
                    truncated[i] = False
                else:
                    reward[i] = self.advance(i, action[i, 0])
                    truncated[i] = self.count_step(i, False)
                self.observe(i, observation)
        return observations, rewards, terminations, truncations, {}


cdef inline double wrap_angle(double angle) noexcept nogil:
    """(angle + pi) % (2 pi) - pi, with Python's %: the result has the divisor's sign."""
    cdef double rest = fmod(angle + PI, 2 * PI)
    if rest == 0.0:
        rest = copysign(0.0, 2 * PI)
    elif rest < 0.0:
        rest += 2 * PI
    return rest - PI
