# 2 advance step, advance
.Lee0:
    vmovups zmm0,zmmword ptr [rax + 8*r15]               # cartpole.py:117  theta_dot = s.theta_dot[i]
    vmovupd zmm2,zmmword ptr [rdx + 8*r15]               # cartpole.py:115  x_dot = s.x_dot[i]
    vmovups zmm1,zmmword ptr [rcx + 8*r15]               # cartpole.py:116  theta = s.theta[i]
    vmovupd zmm3,zmmword ptr [rsp + 0x130]               # cartpole.py:116  theta = s.theta[i]
    vmovdqu ymm4,ymmword ptr [rsp + 0x110]               # cartpole.py:116  theta = s.theta[i]
    movabs rax,0x0                                       # cartpole.py:120  force = p.force_mag if action == 1 else -p.force_mag
    vpcmpeqd k1,ymm4,ymmword ptr [rbp + 4*r15 + 0x0]     # cartpole.py:120  force = p.force_mag if action == 1 else -p.force_mag
    vmovupd zmmword ptr [rsp + 0x2b0],zmm2               # cartpole.py:120  force = p.force_mag if action == 1 else -p.force_mag
    vmovups zmmword ptr [rsp + 0x1f0],zmm1               # cartpole.py:120  force = p.force_mag if action == 1 else -p.force_mag
    vmovups zmmword ptr [rsp + 0x270],zmm0               # cartpole.py:120  force = p.force_mag if action == 1 else -p.force_mag
    vblendmpd zmm0{k1},zmm3,qword bcst [rax]             # cartpole.py:120  force = p.force_mag if action == 1 else -p.force_mag
    vmulpd zmm2,zmm2,zmmword ptr [rsp + 0x1b0]           # cartpole.py:131  x = x + p.tau * x_dot
    movabs rax,0x0                                       # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vmovupd zmmword ptr [rsp + 0x230],zmm0               # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vaddpd zmm0,zmm2,zmmword ptr [r14 + 8*r15]           # cartpole.py:131  x = x + p.tau * x_dot
    vmovupd zmmword ptr [rsp + 0x2f0],zmm0               # cartpole.py:131  x = x + p.tau * x_dot
    vmovaps zmm0,zmm1                                    # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    call rax                                             # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vmovups zmmword ptr [rsp + 0x170],zmm0               # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    vmovupd zmm0,zmmword ptr [rsp + 0x1f0]               # libm.py:219  return lambda x: _lanewise_cos(np.float64(x))
    call rbx                                             # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm5,zmmword ptr [rsp + 0x270]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm3,zmmword ptr [rsp + 0x430]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm4,zmmword ptr [rsp + 0x3f0]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmovupd zmm6,zmmword ptr [rsp + 0x170]               # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rdx,qword ptr [rsp + 0x98]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rcx,qword ptr [rsp + 0xa0]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rax,qword ptr [rsp + 0xa8]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov r11,qword ptr [rsp + 0x70]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov r10,qword ptr [rsp + 0x68]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov r9,qword ptr [rsp + 0x80]                        # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    mov rsi,qword ptr [rsp + 0x78]                       # libm.py:214  return lambda x: _lanewise_sin(np.float64(x))
    vmulpd zmm1,zmm5,zmm5                                # cartpole.py:125  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm7,zmm6,zmm6                                # cartpole.py:127  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vmulpd zmm1,zmm1,zmm3                                # cartpole.py:125  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm1,zmm1,zmm0                                # cartpole.py:125  temp = (force + polemass_length * (theta_dot * theta_…
    vaddpd zmm1,zmm1,zmmword ptr [rsp + 0x230]           # cartpole.py:125  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm0,zmm0,zmmword ptr [rsp + 0x3b0]           # cartpole.py:126  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vdivpd zmm1,zmm1,zmm4                                # cartpole.py:125  temp = (force + polemass_length * (theta_dot * theta_…
    vmulpd zmm2,zmm6,zmm1                                # cartpole.py:126  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vsubpd zmm0,zmm0,zmm2                                # cartpole.py:126  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vmulpd zmm2,zmm7,zmmword ptr [rsp + 0x370]           # cartpole.py:127  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vdivpd zmm2,zmm2,zmm4                                # cartpole.py:127  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vaddpd zmm2,zmm2,zmmword ptr [rsp + 0x330]           # cartpole.py:127  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vmulpd zmm2,zmm2,zmmword ptr [rsp + 0x570]           # cartpole.py:127  p.length * (4.0 / 3.0 - p.masspole * (costheta * cost…
    vdivpd zmm0,zmm0,zmm2                                # cartpole.py:126  thetaacc = (p.gravity * sintheta - costheta * temp) /…
    vmulpd zmm2,zmm0,zmm3                                # cartpole.py:129  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovdqu64 zmm3,zmmword ptr [rsp + 0x2f0]             # cartpole.py:129  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm2,zmm6,zmm2                                # cartpole.py:129  xacc = temp - polemass_length * thetaacc * costheta /…
    vdivpd zmm2,zmm2,zmm4                                # cartpole.py:129  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovupd zmm4,zmmword ptr [rsp + 0x1b0]               # cartpole.py:129  xacc = temp - polemass_length * thetaacc * costheta /…
    vmovdqu64 zmmword ptr [r14 + 8*r15],zmm3             # cartpole.py:135  s.x[i] = x
    vmulpd zmm0,zmm0,zmm4                                # cartpole.py:134  theta_dot = theta_dot + p.tau * thetaacc
    vaddpd zmm0,zmm5,zmm0                                # cartpole.py:134  theta_dot = theta_dot + p.tau * thetaacc
    vsubpd zmm1,zmm1,zmm2                                # cartpole.py:129  xacc = temp - polemass_length * thetaacc * costheta /…
    vmulpd zmm2,zmm5,zmm4                                # cartpole.py:133  theta = theta + p.tau * theta_dot
    vaddpd zmm2,zmm2,zmmword ptr [rsp + 0x1f0]           # cartpole.py:133  theta = theta + p.tau * theta_dot
    vmulpd zmm1,zmm1,zmm4                                # cartpole.py:132  x_dot = x_dot + p.tau * xacc
    vaddpd zmm1,zmm1,zmmword ptr [rsp + 0x2b0]           # cartpole.py:132  x_dot = x_dot + p.tau * xacc
    vmovupd zmmword ptr [rdx + 8*r15],zmm1               # cartpole.py:136  s.x_dot[i] = x_dot
    vmovdqu64 zmm1,zmmword ptr [rsp + 0x4b0]             # cartpole.py:136  s.x_dot[i] = x_dot
    vmovupd zmmword ptr [rcx + 8*r15],zmm2               # cartpole.py:137  s.theta[i] = theta
    vmovupd zmmword ptr [rax + 8*r15],zmm0               # cartpole.py:138  s.theta_dot[i] = theta_dot
    vpandq zmm0,zmm3,zmm1                                # cartpole.py:141  x < -p.x_threshold
    vcmpgtpd k0,zmm0,zmmword ptr [rsp + 0x530]           # cartpole.py:141  x < -p.x_threshold
    vpandq zmm0,zmm2,zmm1                                # cartpole.py:141  x < -p.x_threshold
    vmovdqu xmm1,xmmword ptr [r12 + 2*r15]               # kernels.py:176  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vcmpgtpd k1,zmm0,zmmword ptr [rsp + 0x470]           # cartpole.py:141  x < -p.x_threshold
    vpcmpeqd xmm3,xmm3,xmm3                              # kernels.py:176  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vmovdqa xmm2,xmmword ptr [rsp + 0xf0]                # kernels.py:176  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vpsubw xmm1,xmm1,xmm3                                # kernels.py:176  elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    vpcmpnltw k2,xmm1,xmmword ptr [rsp + 0xd0]           # kernels.py:177  truncated |= elapsed >= tile.settings.time_limit[0]
    vmovupd zmm3,zmmword ptr [rsp + 0x4f0]               # kernels.py:177  truncated |= elapsed >= tile.settings.time_limit[0]
    korw k1,k0,k1                                        # cartpole.py:141  x < -p.x_threshold
    vmovdqu8 xmm0{k1}{z},xmm2                            # cartpole.py:150  return reward, terminated
    korw k1,k1,k2                                        # kernels.py:182  tile.pending[i] = terminated or truncated
    vmovupd zmmword ptr [r11 + 8*r15],zmm3               # kernels.py:178  tile.reward[i] = reward
    vmovdqu xmmword ptr [r12 + 2*r15],xmm1               # kernels.py:179  tile.elapsed[i] = elapsed
    vmovq qword ptr [r9 + 1*r15],xmm0                    # kernels.py:180  tile.terminated[i] = terminated
    vmovdqu8 xmm0{k2}{z},xmm2                            # kernels.py:181  tile.truncated[i] = truncated
    vmovq qword ptr [rsi + 1*r15],xmm0                   # kernels.py:181  tile.truncated[i] = truncated
    vmovdqu8 xmm0{k1}{z},xmm2                            # kernels.py:182  tile.pending[i] = terminated or truncated
    vmovq qword ptr [r10 + 1*r15],xmm0                   # kernels.py:182  tile.pending[i] = terminated or truncated
    add r15,0x8                                          # kernels.py:215  for i in range(tile.reward.shape[0]):
    cmp r13,r15                                          # kernels.py:215  for i in range(tile.reward.shape[0]):
    jne .Lee0                                            # kernels.py:215  for i in range(tile.reward.shape[0]):
