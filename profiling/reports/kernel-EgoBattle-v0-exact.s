# 99 fill paint
.Lb2a0:
    vcvtdq2ps zmm11,zmm8                                 # renderer.py:137  below = ground(np.float32(np.int32(x)), along_x, alon…
    vcvtdq2ps zmm10,zmm7                                 # renderer.py:137  below = ground(np.float32(np.int32(x)), along_x, alon…
    mov rdx,qword ptr [rsp + 0x38]                       # renderer.py:137  below = ground(np.float32(np.int32(x)), along_x, alon…
    mov rsi,qword ptr [rsp + 0x18]                       # renderer.py:137  below = ground(np.float32(np.int32(x)), along_x, alon…
    vmulps zmm12,zmm2,zmm11                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vmulps zmm13,zmm2,zmm10                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vmulps zmm11,zmm4,zmm11                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vmulps zmm10,zmm4,zmm10                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vaddps zmm12,zmm3,zmm12                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vaddps zmm10,zmm5,zmm10                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vaddps zmm11,zmm5,zmm11                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vaddps zmm13,zmm3,zmm13                              # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vrndscaleps zmm14,zmm12,0x9                          # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vrndscaleps zmm16,zmm11,0x9                          # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vrndscaleps zmm17,zmm10,0x9                          # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vrndscaleps zmm15,zmm13,0x9                          # renderer.py:118  u, v = along_x + k * step_x, along_y + k * step_y
    vsubps zmm12,zmm12,zmm14                             # renderer.py:120  u = min(np.floor((u - np.floor(u)) * np.float32(SIDE)…
    vbroadcastss zmm14,dword ptr [r8]                    # renderer.py:120  u = min(np.floor((u - np.floor(u)) * np.float32(SIDE)…
    vsubps zmm10,zmm10,zmm17                             # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vsubps zmm11,zmm11,zmm16                             # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vmulps zmm16,zmm1,zmmword ptr [rdx + 1*rcx]          # renderer.py:138  depth = min(np.floor(s.first[i, x] + line * s.grain[i…
    vmulps zmm17,zmm1,zmmword ptr [rdx + 1*rcx + 0x40]   # renderer.py:138  depth = min(np.floor(s.first[i, x] + line * s.grain[i…
    mov rdx,qword ptr [rsp + 0x50]                       # renderer.py:138  depth = min(np.floor(s.first[i, x] + line * s.grain[i…
    vsubps zmm13,zmm13,zmm15                             # renderer.py:120  u = min(np.floor((u - np.floor(u)) * np.float32(SIDE)…
    vbroadcastss zmm15,dword ptr [r9]                    # builtins.py:631  return min_vararg(x)
    vaddps zmm17,zmm17,zmmword ptr [rdx + 1*rcx + 0x40]  # renderer.py:138  depth = min(np.floor(s.first[i, x] + line * s.grain[i…
    vaddps zmm16,zmm16,zmmword ptr [rdx + 1*rcx]         # renderer.py:138  depth = min(np.floor(s.first[i, x] + line * s.grain[i…
    mov rdx,qword ptr [rsp + 0x10]                       # renderer.py:138  depth = min(np.floor(s.first[i, x] + line * s.grain[i…
    vmulps zmm11,zmm11,zmm14                             # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vmulps zmm12,zmm12,zmm14                             # renderer.py:120  u = min(np.floor((u - np.floor(u)) * np.float32(SIDE)…
    vmulps zmm13,zmm13,zmm14                             # renderer.py:120  u = min(np.floor((u - np.floor(u)) * np.float32(SIDE)…
    vmulps zmm10,zmm10,zmm14                             # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vrndscaleps zmm11,zmm11,0x9                          # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vrndscaleps zmm13,zmm13,0x9                          # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vrndscaleps zmm12,zmm12,0x9                          # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vrndscaleps zmm10,zmm10,0x9                          # renderer.py:121  v = min(np.floor((v - np.floor(v)) * np.float32(SIDE)…
    vminps zmm11,zmm15,zmm11                             # builtins.py:631  return min_vararg(x)
    vrndscaleps zmm17,zmm17,0x9                          # builtins.py:631  return min_vararg(x)
    vrndscaleps zmm16,zmm16,0x9                          # builtins.py:631  return min_vararg(x)
    vminps zmm10,zmm15,zmm10                             # builtins.py:631  return min_vararg(x)
    vminps zmm12,zmm15,zmm12                             # builtins.py:631  return min_vararg(x)
    vminps zmm13,zmm15,zmm13                             # builtins.py:631  return min_vararg(x)
    vmulps zmm11,zmm11,zmm14                             # renderer.py:122  return plane + v * np.float32(SIDE) + u
    vmulps zmm10,zmm10,zmm14                             # renderer.py:122  return plane + v * np.float32(SIDE) + u
    vminps zmm17,zmm15,zmm17                             # builtins.py:631  return min_vararg(x)
    vminps zmm15,zmm15,zmm16                             # builtins.py:631  return min_vararg(x)
    vaddps zmm11,zmm6,zmm11                              # renderer.py:122  return plane + v * np.float32(SIDE) + u
    vmulps zmm15,zmm15,zmm14                             # renderer.py:139  wall = s.wall[i, x] + depth * np.float32(SIDE)
    vaddps zmm15,zmm15,zmmword ptr [rdx + 1*rcx]         # renderer.py:139  wall = s.wall[i, x] + depth * np.float32(SIDE)
    vaddps zmm10,zmm6,zmm10                              # renderer.py:122  return plane + v * np.float32(SIDE) + u
    vaddps zmm12,zmm12,zmm11                             # renderer.py:122  return plane + v * np.float32(SIDE) + u
    vmulps zmm11,zmm17,zmm14                             # renderer.py:139  wall = s.wall[i, x] + depth * np.float32(SIDE)
    vaddps zmm14,zmm11,zmmword ptr [rdx + 1*rcx + 0x40]  # renderer.py:139  wall = s.wall[i, x] + depth * np.float32(SIDE)
    mov rdx,qword ptr [rsp + 0x20]                       # renderer.py:139  wall = s.wall[i, x] + depth * np.float32(SIDE)
    vaddps zmm13,zmm13,zmm10                             # renderer.py:122  return plane + v * np.float32(SIDE) + u
    vcmpgtps k2,zmm0,zmmword ptr [rdx + 1*rcx]           # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vcmpgtps k1,zmm0,zmmword ptr [rdx + 1*rcx + 0x40]    # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vcmpltps k0{k2},zmm0,zmmword ptr [rsi + 1*rcx]       # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vcmpltps k1{k1},zmm0,zmmword ptr [rsi + 1*rcx + 0x40] # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle…
    vsubps zmm15,zmm15,zmm12                             # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vsubps zmm14,zmm14,zmm13                             # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vpmovm2d zmm10,k0                                    # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vpsrld zmm10,zmm10,0x1f                              # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vpmovm2d zmm11,k1                                    # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vpsrld zmm11,zmm11,0x1f                              # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vcvtdq2ps zmm10,zmm10                                # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vcvtdq2ps zmm11,zmm11                                # renderer.py:141  inside = np.float32((s.top[i, x] < middle) & (middle …
    vmulps zmm15,zmm15,zmm10                             # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vmulps zmm14,zmm14,zmm11                             # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vaddps zmm15,zmm12,zmm15                             # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vaddps zmm12,zmm13,zmm14                             # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vcvttps2dq zmm14,zmm15                               # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vcvttps2dq zmm12,zmm12                               # renderer.py:142  texel = lookup(p.atlas, np.int32(below + inside * (wa…
    vextracti32x4 xmm15,zmm14,0x3                        # lookup.py:38  return lambda table, index: _lookup(table, index)
    vextracti32x4 xmm17,zmm14,0x2                        # lookup.py:38  return lambda table, index: _lookup(table, index)
    vextracti128 xmm13,ymm14,0x1                         # lookup.py:38  return lambda table, index: _lookup(table, index)
    vextracti32x4 xmm20,zmm12,0x2                        # lookup.py:38  return lambda table, index: _lookup(table, index)
    vextracti32x4 xmm22,ymm12,0x1                        # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd esi,xmm15                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd edx,xmm13                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm16,dword ptr [rdi + 4*rsi]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm15,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm16,xmm16,dword ptr [rdi + 4*rsi],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm15,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm16,xmm16,dword ptr [rdi + 4*rsi],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm15,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm15,xmm16,dword ptr [rdi + 4*rsi],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd esi,xmm17                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm16,dword ptr [rdi + 4*rsi]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm17,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm16,xmm16,dword ptr [rdi + 4*rsi],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm17,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm16,xmm16,dword ptr [rdi + 4*rsi],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm17,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm17,dword ptr [rdi + 4*rdx]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm13,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm16,xmm16,dword ptr [rdi + 4*rsi],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd esi,xmm13,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm17,xmm17,dword ptr [rdi + 4*rsi],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    movabs rsi,0x0                                       # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm17,xmm17,dword ptr [rdi + 4*rdx],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd edx,xmm14                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm18,dword ptr [rdi + 4*rdx]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm14,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vinserti32x4 ymm15,ymm16,xmm15,0x1                   # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm18,xmm18,dword ptr [rdi + 4*rdx],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm14,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm18,xmm18,dword ptr [rdi + 4*rdx],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm14,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vextracti32x4 xmm14,zmm12,0x3                        # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm18,xmm18,dword ptr [rdi + 4*rdx],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd edx,xmm14                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm19,dword ptr [rdi + 4*rdx]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm14,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm19,xmm19,dword ptr [rdi + 4*rdx],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm14,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm19,xmm19,dword ptr [rdi + 4*rdx],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd edx,xmm20                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm21,dword ptr [rdi + 4*rdx]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm20,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm21,xmm21,dword ptr [rdi + 4*rdx],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm20,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm21,xmm21,dword ptr [rdi + 4*rdx],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd edx,xmm22                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm23,dword ptr [rdi + 4*rdx]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm22,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm23,xmm23,dword ptr [rdi + 4*rdx],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm22,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm23,xmm23,dword ptr [rdi + 4*rdx],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd edx,xmm12                                      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovd xmm24,dword ptr [rdi + 4*rdx]                  # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm13,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm13,xmm17,dword ptr [rdi + 4*rdx],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm12,0x1                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm17,xmm24,dword ptr [rdi + 4*rdx],0x1      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm14,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm14,xmm19,dword ptr [rdi + 4*rdx],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm12,0x2                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm17,xmm17,dword ptr [rdi + 4*rdx],0x2      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm20,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm19,xmm21,dword ptr [rdi + 4*rdx],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm12,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vinserti32x4 ymm13,ymm18,xmm13,0x1                   # lookup.py:38  return lambda table, index: _lookup(table, index)
    vinserti64x4 zmm13,zmm13,ymm15,0x1                   # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm12,xmm17,dword ptr [rdi + 4*rdx],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpextrd edx,xmm22,0x3                                # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpinsrd xmm17,xmm23,dword ptr [rdi + 4*rdx],0x3      # lookup.py:38  return lambda table, index: _lookup(table, index)
    mov rdx,qword ptr [rsp + 0x28]                       # lookup.py:38  return lambda table, index: _lookup(table, index)
    vinserti32x4 ymm14,ymm19,xmm14,0x1                   # lookup.py:38  return lambda table, index: _lookup(table, index)
    vmovups zmm16,zmmword ptr [rdx + 1*rcx]              # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vmovups zmm18,zmmword ptr [rdx + 1*rcx + 0x40]       # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    sub rcx,0xffffffffffffff80                           # renderer.py:136  for x in range(p.width):
    vinserti32x4 ymm12,ymm12,xmm17,0x1                   # lookup.py:38  return lambda table, index: _lookup(table, index)
    vinserti64x4 zmm12,zmm12,ymm14,0x1                   # lookup.py:38  return lambda table, index: _lookup(table, index)
    vpbroadcastw zmm14,word ptr [r10]                    # lookup.py:58  _times(np.uint32(colour & 0xFF00FF), np.int32(light)),
    vsubps zmm16,zmm16,zmm9                              # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vsubps zmm17,zmm18,zmm9                              # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vmulps zmm11,zmm17,zmm11                             # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vmulps zmm10,zmm16,zmm10                             # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vpandq zmm15,zmm12,zmm14                             # lookup.py:58  _times(np.uint32(colour & 0xFF00FF), np.int32(light)),
    vpandq zmm14,zmm13,zmm14                             # lookup.py:58  _times(np.uint32(colour & 0xFF00FF), np.int32(light)),
    vpsrlw zmm12,zmm12,0x8                               # lookup.py:59  _times(np.uint32(colour >> 8 & 0xFF), np.int32(light)),
    vpsrlw zmm13,zmm13,0x8                               # lookup.py:59  _times(np.uint32(colour >> 8 & 0xFF), np.int32(light)),
    vaddps zmm10,zmm9,zmm10                              # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vaddps zmm11,zmm9,zmm11                              # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vcvttps2dq zmm11,zmm11                               # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vcvttps2dq zmm10,zmm10                               # renderer.py:143  paint(p, out, y, x, texel, np.int32(shade + inside * …
    vpmulld zmm14,zmm14,zmm10                            # lookup.py:58  _times(np.uint32(colour & 0xFF00FF), np.int32(light)),
    vpmulld zmm10,zmm13,zmm10                            # lookup.py:59  _times(np.uint32(colour >> 8 & 0xFF), np.int32(light)),
    vpmulld zmm15,zmm15,zmm11                            # lookup.py:58  _times(np.uint32(colour & 0xFF00FF), np.int32(light)),
    vpmulld zmm11,zmm12,zmm11                            # lookup.py:59  _times(np.uint32(colour >> 8 & 0xFF), np.int32(light)),
    vpsrld zmm12,zmm15,0x18                              # pixels.py:15  red, green, blue = (even >> 8) & 255, (odd >> 8) & 255, …
    vpsrld zmm13,zmm14,0x18                              # pixels.py:15  red, green, blue = (even >> 8) & 255, (odd >> 8) & 255, …
    vpsrld zmm11,zmm11,0x8                               # pixels.py:27  out[y, x, 2] = blue
    vpsrld zmm10,zmm10,0x8                               # pixels.py:27  out[y, x, 2] = blue
    vpsrld zmm15,zmm15,0x8                               # pixels.py:27  out[y, x, 2] = blue
    vpsrld zmm14,zmm14,0x8                               # pixels.py:27  out[y, x, 2] = blue
    vpmovdb xmm13,zmm13                                  # pixels.py:27  out[y, x, 2] = blue
    vpmovdb xmm12,zmm12                                  # pixels.py:27  out[y, x, 2] = blue
    vpmovdb xmm10,zmm10                                  # pixels.py:27  out[y, x, 2] = blue
    vpmovdb xmm11,zmm11                                  # pixels.py:27  out[y, x, 2] = blue
    vinserti128 ymm12,ymm13,xmm12,0x1                    # pixels.py:27  out[y, x, 2] = blue
    vinserti128 ymm10,ymm10,xmm11,0x1                    # pixels.py:27  out[y, x, 2] = blue
    vpmovdb xmm11,zmm14                                  # pixels.py:27  out[y, x, 2] = blue
    vpmovdb xmm13,zmm15                                  # pixels.py:27  out[y, x, 2] = blue
    vmovdqa ymm14,ymmword ptr [rbx]                      # pixels.py:27  out[y, x, 2] = blue
    vinserti128 ymm11,ymm11,xmm13,0x1                    # pixels.py:27  out[y, x, 2] = blue
    vmovdqa ymm13,ymmword ptr [r11]                      # pixels.py:27  out[y, x, 2] = blue
    vpermi2b ymm14,ymm11,ymm10                           # pixels.py:27  out[y, x, 2] = blue
    vpermi2b ymm13,ymm11,ymm12                           # pixels.py:27  out[y, x, 2] = blue
    vmovdqa ymm11,ymmword ptr [r13 + 0x0]                # pixels.py:27  out[y, x, 2] = blue
    vpermi2b ymm11,ymm12,ymm10                           # pixels.py:27  out[y, x, 2] = blue
    vpalignr ymm10,ymm10,ymm13,0x5                       # pixels.py:27  out[y, x, 2] = blue
    vpalignr ymm12,ymm11,ymm14,0x5                       # pixels.py:27  out[y, x, 2] = blue
    vpalignr ymm11,ymm13,ymm11,0x5                       # pixels.py:27  out[y, x, 2] = blue
    vmovdqa ymm13,ymmword ptr [rsi]                      # pixels.py:27  out[y, x, 2] = blue
    vmovdqa ymm14,ymmword ptr [r12]                      # pixels.py:27  out[y, x, 2] = blue
    vpermi2b ymm13,ymm10,ymm12                           # pixels.py:27  out[y, x, 2] = blue
    vpermi2b ymm14,ymm11,ymm10                           # pixels.py:27  out[y, x, 2] = blue
    vinserti64x4 zmm10,zmm13,ymm14,0x1                   # pixels.py:27  out[y, x, 2] = blue
    vmovdqa ymm14,ymmword ptr [rbp + 0x0]                # pixels.py:27  out[y, x, 2] = blue
    vmovdqu64 zmmword ptr [rax],zmm10                    # pixels.py:27  out[y, x, 2] = blue
    vpbroadcastd zmm10,dword ptr [r15]                   # pixels.py:27  out[y, x, 2] = blue
    vpermi2b ymm14,ymm12,ymm11                           # pixels.py:27  out[y, x, 2] = blue
    vpaddd zmm7,zmm7,zmm10                               # pixels.py:27  out[y, x, 2] = blue
    vpaddd zmm8,zmm8,zmm10                               # pixels.py:27  out[y, x, 2] = blue
    vmovdqu ymmword ptr [rax + 0x40],ymm14               # pixels.py:27  out[y, x, 2] = blue
    add rax,0x60                                         # renderer.py:136  for x in range(p.width):
    cmp rcx,0x200                                        # renderer.py:136  for x in range(p.width):
    jne .Lb2a0                                           # renderer.py:136  for x in range(p.width):
