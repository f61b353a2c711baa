# 10 advance step
.L1510:
    mov rcx,qword ptr [rsp + 0xc0]
    vmovups zmm0,zmmword ptr [rax + 8*r15]               # cartpole.py:110  theta_dot = s.theta_dot[i]
    vmovupd zmm2,zmmword ptr [rbp + 8*r15 + 0x0]         # cartpole.py:108  x_dot = s.x_dot[i]
    vmovupd zmm3,zmmword ptr [rsp + 0x590]               # cartpole.py:108  x_dot = s.x_dot[i]
    mov rax,qword ptr [rsp + 0x68]                       # cartpole.py:108  x_dot = s.x_dot[i]
    vmovdqu ymm4,ymmword ptr [rsp + 0x230]               # cartpole.py:108  x_dot = s.x_dot[i]
    vmovups zmm1,zmmword ptr [rcx + 8*r15]               # cartpole.py:109  theta = s.theta[i]
    vpcmpeqd k1,ymm4,ymmword ptr [rax + 4*r15]           # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    movabs rax,0x0                                       # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    vmovupd zmmword ptr [rsp + 0x170],zmm2               # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    vmovups zmmword ptr [rsp + 0x250],zmm0               # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    vmovups zmmword ptr [rsp + 0x130],zmm1               # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    vblendmpd zmm0{k1},zmm3,qword bcst [rax]             # cartpole.py:113  force = p.force_mag if action == 1 else -p.force_mag
    vmulpd zmm2,zmm2,zmmword ptr [rsp + 0x1f0]           # cartpole.py:124  x = x + p.tau * x_dot
    movabs rax,0x0                                       # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vmovupd zmmword ptr [rsp + 0x290],zmm0               # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vaddpd zmm0,zmm2,zmmword ptr [r12 + 8*r15]           # cartpole.py:124  x = x + p.tau * x_dot
    vmovupd zmmword ptr [rsp + 0x1b0],zmm0               # cartpole.py:124  x = x + p.tau * x_dot
    vmovaps zmm0,zmm1                                    # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    call rax                                             # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vmovups zmmword ptr [rsp + 0x2d0],zmm0               # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vmovupd zmm0,zmmword ptr [rsp + 0x130]               # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    movabs rax,0x0                                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    call rax                                             # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm5,zmmword ptr [rsp + 0x250]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm3,zmmword ptr [rsp + 0x550]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm4,zmmword ptr [rsp + 0x510]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm6,zmmword ptr [rsp + 0x2d0]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rcx,qword ptr [rsp + 0xc0]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rax,qword ptr [rsp + 0x60]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rdx,qword ptr [rsp + 0xa8]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rsi,qword ptr [rsp + 0x78]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmulpd zmm1,zmm5,zmm5                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm7,zmm6,zmm6                                # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vmulpd zmm1,zmm1,zmm3                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm1,zmm1,zmm0                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vaddpd zmm1,zmm1,zmmword ptr [rsp + 0x290]           # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm0,zmm0,zmmword ptr [rsp + 0x4d0]           # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vdivpd zmm1,zmm1,zmm4                                # cartpole.py:118  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm2,zmm6,zmm1                                # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vsubpd zmm0,zmm0,zmm2                                # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vmulpd zmm2,zmm7,zmmword ptr [rsp + 0x490]           # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vdivpd zmm2,zmm2,zmm4                                # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vaddpd zmm2,zmm2,zmmword ptr [rsp + 0x450]           # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vmulpd zmm2,zmm2,zmmword ptr [rsp + 0x410]           # cartpole.py:120  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vdivpd zmm0,zmm0,zmm2                                # cartpole.py:119  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vmulpd zmm2,zmm0,zmm3                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovupd zmm3,zmmword ptr [rsp + 0x1b0]               # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm2,zmm6,zmm2                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vdivpd zmm2,zmm2,zmm4                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovupd zmm4,zmmword ptr [rsp + 0x1f0]               # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovupd zmmword ptr [r12 + 8*r15],zmm3               # cartpole.py:128  s.x[i] = x
    vmulpd zmm0,zmm0,zmm4                                # cartpole.py:127  theta_dot = theta_dot + p.tau * thetaacc
    vaddpd zmm0,zmm5,zmm0                                # cartpole.py:127  theta_dot = theta_dot + p.tau * thetaacc
    vsubpd zmm1,zmm1,zmm2                                # cartpole.py:122  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm2,zmm5,zmm4                                # cartpole.py:126  theta = theta + p.tau * theta_dot
    vaddpd zmm2,zmm2,zmmword ptr [rsp + 0x130]           # cartpole.py:126  theta = theta + p.tau * theta_dot
    vmulpd zmm1,zmm1,zmm4                                # cartpole.py:125  x_dot = x_dot + p.tau * xacc
    vaddpd zmm1,zmm1,zmmword ptr [rsp + 0x170]           # cartpole.py:125  x_dot = x_dot + p.tau * xacc
    vmovupd zmm4,zmmword ptr [rsp + 0x390]               # cartpole.py:125  x_dot = x_dot + p.tau * xacc
    vmovupd zmmword ptr [rbp + 8*r15 + 0x0],zmm1         # cartpole.py:129  s.x_dot[i] = x_dot
    vmovupd zmm1,zmmword ptr [rsp + 0x350]               # cartpole.py:129  s.x_dot[i] = x_dot
    vmovupd zmmword ptr [rcx + 8*r15],zmm2               # cartpole.py:130  s.theta[i] = theta
    mov rcx,qword ptr [rsp + 0xc8]                       # cartpole.py:130  s.theta[i] = theta
    vmovupd zmmword ptr [rax + 8*r15],zmm0               # cartpole.py:131  s.theta_dot[i] = theta_dot
    vandpd zmm0,zmm3,zmm1                                # cartpole.py:134  x < -p.x_threshold
    vcmpgtpd k0,zmm0,zmmword ptr [rsp + 0x3d0]           # cartpole.py:134  x < -p.x_threshold
    vandpd zmm0,zmm2,zmm1                                # cartpole.py:134  x < -p.x_threshold
    vmovdqu xmm1,xmmword ptr [rcx + 2*r15]               # kernels.py:149  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vcmpgtpd k1,zmm0,zmmword ptr [rsp + 0x310]           # cartpole.py:134  x < -p.x_threshold
    vmovdqa xmm2,xmmword ptr [rsp + 0x100]               # cartpole.py:134  x < -p.x_threshold
    vpcmpeqd xmm3,xmm3,xmm3                              # kernels.py:149  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vmovupd zmmword ptr [rdx + 8*r15],zmm4               # kernels.py:151  tile.reward[i] = reward
    mov rdx,qword ptr [rsp + 0xa0]                       # kernels.py:151  tile.reward[i] = reward
    vpsubw xmm1,xmm1,xmm3                                # kernels.py:149  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vpcmpnltw k2,xmm1,xmmword ptr [rsp + 0xd0]           # kernels.py:150  truncated = elapsed >= tile.settings.time_limit[0]
    korb k1,k0,k1                                        # cartpole.py:134  x < -p.x_threshold
    vmovdqu xmmword ptr [rcx + 2*r15],xmm1               # kernels.py:152  tile.elapsed[i] = elapsed
    vmovdqu8 xmm0{k1}{z},xmm2                            # cartpole.py:143  return reward, terminated
    vmovq qword ptr [rdx + 1*r15],xmm0                   # kernels.py:153  tile.terminated[i] = terminated
    mov rdx,qword ptr [rsp]                              # kernels.py:153  tile.terminated[i] = terminated
    korb k1,k1,k2                                        # kernels.py:155  tile.pending[i] = terminated or truncated
    vmovdqu8 xmm0{k2}{z},xmm2                            # kernels.py:154  tile.truncated[i] = truncated
    vmovq qword ptr [rsi + 1*r15],xmm0                   # kernels.py:154  tile.truncated[i] = truncated
    vmovdqu8 xmm0{k1}{z},xmm2                            # kernels.py:155  tile.pending[i] = terminated or truncated
    vmovq qword ptr [rdx + 1*r15],xmm0                   # kernels.py:155  tile.pending[i] = terminated or truncated
    add r15,0x8                                          # kernels.py:227  for i in range(tile.reward.shape[0]):
    cmp qword ptr [rsp + 0x80],r15                       # kernels.py:227  for i in range(tile.reward.shape[0]):
    jne .L1510                                           # kernels.py:227  for i in range(tile.reward.shape[0]):
